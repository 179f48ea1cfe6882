package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/observe"
)

// TestFlagsBecomeConfig: every flag of an observation reaches its field.
func TestFlagsBecomeConfig(t *testing.T) {
	for args, want := range map[string]options{
		"": {format: "text", observe: observe.Config{Duration: 5 * time.Second}},
		"-d 1m -i 250ms -v --sites --light --aggregate --ring-size 8K --thread-entries 4": {
			format: "text", verbose: true,
			observe: observe.Config{Duration: time.Minute, Interval: 250 * time.Millisecond, Sites: true, Light: true,
				Aggregate: true, RingBytes: 8 << 10, ThreadEntries: 4},
		},
		"-o ndjson --max-rate 100 --offsets o --go-version 1.26.8 --out r --ready-file f": {
			format: "ndjson", outFile: "r", readyFile: "f",
			observe: observe.Config{Duration: 5 * time.Second, Interval: time.Second, MaxRate: 100, Offsets: "o",
				GoVersion: "go1.26.8"}},
		"-o json -i 2s": {format: "json",
			observe: observe.Config{Duration: 5 * time.Second, Interval: 2 * time.Second}},
	} {
		var got options
		app := &cli.App{
			Flags: append(observeFlags(), offsetsFlag(), goVersionFlag(), &cli.StringFlag{Name: "duration", Aliases: []string{"d"}}),
			Action: func(c *cli.Context) (err error) {
				got, err = parseOptions(c, "5s")
				return err
			},
		}
		if err := app.RunContext(t.Context(), append([]string{"pinwatch"}, strings.Fields(args)...)); err != nil {
			t.Errorf("%s: %v", args, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", args, got, want)
		}
	}
}
