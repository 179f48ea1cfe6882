package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
)

// TestFlagsBecomeConfig: every flag of an observation reaches its field.
func TestFlagsBecomeConfig(t *testing.T) {
	for args, want := range map[string]options{
		"": {format: "text", observe: observe.Config{Duration: 5 * time.Second}},
		"-d 1m -i 250ms -v --sites --light --aggregate --ring-size 8K --thread-entries 4": {
			format: "text", verbose: true, intervalGiven: true,
			observe: observe.Config{Duration: time.Minute, Interval: 250 * time.Millisecond, Sites: true, Light: true,
				Aggregate: true, RingBytes: 8 << 10, ThreadEntries: 4},
		},
		"-o ndjson --max-rate 100 --offsets o --go-version 1.26.8 --out r --ready-file f": {
			format: "ndjson", outFile: "r", readyFile: "f",
			observe: observe.Config{Duration: 5 * time.Second, Interval: time.Second, MaxRate: 100, Offsets: "o",
				GoVersion: "go1.26.8"}},
		"-o json -i 2s": {format: "json", intervalGiven: true,
			observe: observe.Config{Duration: 5 * time.Second, Interval: 2 * time.Second}},
		"-d 10 -i 0.5 --format json": {format: "json", intervalGiven: true,
			observe: observe.Config{Duration: 10 * time.Second, Interval: 500 * time.Millisecond}},
		"--out a/r.JSON": {format: "json", outFile: "a/r.JSON", observe: observe.Config{Duration: 5 * time.Second}},
		"--out r.ndjson": {format: "ndjson", outFile: "r.ndjson",
			observe: observe.Config{Duration: 5 * time.Second, Interval: time.Second}},
		"--out r.json -o text": {format: "text", outFile: "r.json", observe: observe.Config{Duration: 5 * time.Second}},
		"--out r.yaml":         {format: "text", outFile: "r.yaml", observe: observe.Config{Duration: 5 * time.Second}},
		"-q --time-unit us --fail-on warn,loss": {format: "text", quiet: true, unit: "us", failOn: []string{"warn", "loss"},
			observe: observe.Config{Duration: 5 * time.Second}},
	} {
		var got options
		app := &cli.App{
			Flags: append(observeFlags(), offsetsFlag(), goVersionFlag(),
				&cli.StringFlag{Name: "duration", Aliases: []string{"d"}}),
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

// --fail-on makes findings exit code 3 and losses 4; a finding stands in a lossy run too.
func TestFailOn(t *testing.T) {
	found := func(severities ...string) *report.Report {
		r := &report.Report{}
		for _, s := range severities {
			r.Findings = append(r.Findings, report.Finding{Severity: s})
		}
		return r
	}
	lossy := func(r *report.Report) *report.Report {
		r.Loss.ByKind = map[string]uint64{"switch": 1}
		return r
	}
	for _, tt := range []struct {
		on   []string
		r    *report.Report
		want error
	}{
		{nil, lossy(found("error")), nil},
		{[]string{"warn"}, found("info"), nil},
		{[]string{"warn"}, found("info", "warn"), status(exitContract)},
		{[]string{"warn"}, found("error"), status(exitContract)},
		{[]string{"error"}, found("warn"), nil},
		{[]string{"error"}, found("error"), status(exitContract)},
		{[]string{"loss"}, found("error"), nil},
		{[]string{"loss"}, lossy(found("error")), status(exitInconclusive)},
		{[]string{"loss", "warn"}, lossy(found("warn")), status(exitContract)},
		{[]string{"warn"}, lossy(found()), nil},
	} {
		if got := (options{failOn: tt.on}).failed(tt.r); got != tt.want {
			t.Errorf("--fail-on %v with %v: %v, want %v", tt.on, tt.r.Findings, got, tt.want)
		}
	}
}
