package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/unit"
	"github.com/pinwatch/pinwatch/internal/workload/client"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// load is a target for the growth tables.
type load struct {
	label string
	args  []string
	long  bool // a minute of it
}

var threadLoads = []load{
	{label: "10", args: []string{"threads", "-n", "10"}},
	{label: "100", args: []string{"threads", "-n", "100"}},
	{label: "1,000", args: []string{"threads", "-n", "1000"}},
	{label: "9,000", args: []string{"threads", "-n", "9000"}},
	{label: "10,000", args: []string{"threads", "-n", "10000"}},
}

var rateLoads = []load{
	{label: "one pair, 10 a second", args: []string{"pingpong", "-batch", "10", "-pace", "1s"}},
	{label: "one pair, 100 every 100 ms", args: []string{"pingpong", "-batch", "100", "-pace", "100ms"}},
	{label: "one pair, 100 every 10 ms", args: []string{"pingpong", "-batch", "100", "-pace", "10ms"}},
	{label: "one pair", args: []string{"pingpong"}},
	{label: "two pairs", args: []string{"pingpong", "-pairs", "2"}},
	{label: "eight pairs", args: []string{"pingpong", "-pairs", "8"}},
	{label: "eight pairs, for a minute", args: []string{"pingpong", "-pairs", "8"}, long: true},
}

// growth measures what pinwatch needs as its target grows.
func (b *bench) growth(ctx context.Context) (string, error) {
	repeats, length := 3, 3*time.Second
	if b.short {
		repeats, length = 1, time.Second
	}
	var threads, rates [][]string
	for _, l := range threadLoads {
		g, err := b.grown(ctx, l, repeats, length, "--aggregate")
		if err != nil {
			return "", fmt.Errorf("workload %s: %w", strings.Join(l.args, " "), err)
		}
		threads = append(threads, append([]string{l.label, millis(g.attach[0]), millis(g.attach[1])}, g.row()...))
	}
	for _, l := range rateLoads {
		stay := length
		if l.long && b.short {
			continue
		} else if l.long {
			stay = time.Minute
		}
		g, err := b.grown(ctx, l, 1, stay)
		if err != nil {
			return "", fmt.Errorf("workload %s: %w", strings.Join(l.args, " "), err)
		}
		rates = append(rates, append([]string{l.label}, g.row()...))
	}
	columns := []string{"switches/s", "CPU", "overhead ns/switch", "RssAnon MiB", "events lost"}
	threadTable := measure.Table(append([]string{"threads", "attach ms", "with `--aggregate`"}, columns...), threads)
	rateTable := measure.Table(append([]string{"load"}, columns...), rates)
	return fmt.Sprintf("Growth with threads (`workload threads -n N`, %v each, in steady state). "+
		"Attach is the time from the start of the process `%s` to its ready file, the median of %d:\n\n%s\n"+
		"Growth with events (`workload pingpong` at several paces):\n\n%s",
		length, shell(pinwatchCommand()), repeats, threadTable, rateTable), nil
}

// grown holds the measurements of one target.
type grown struct {
	attach     []time.Duration // median; by flags
	cpu        float64         // in CPUs
	overheadNS float64         // ns a switch
	rss        uint64          // bytes, at the end
	switches   float64         // a second
	lost       uint64
}

func (g *grown) row() []string {
	return []string{unit.Whole(g.switches), unit.Percent(g.cpu), unit.Whole(g.overheadNS), mebibytes(g.rss),
		unit.Whole(float64(g.lost))}
}

// grown attaches repeatedly, with no flags and with each of others, and measures the last
// attachment with none.
func (b *bench) grown(
	ctx context.Context, l load, repeats int, length time.Duration, others ...string,
) (g grown, err error) {
	fmt.Fprintf(b.log, "growth: workload %s\n", strings.Join(l.args, " "))
	w, err := measure.StartWorkload(ctx, b.workload, l.args...)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, w.End()) }()
	took := make([][]time.Duration, 1+len(others))
	for i := range repeats {
		for j, flag := range others {
			err := b.attachOnce(ctx, w, pinwatchCommand(flag), false, length, &g, &took[1+j])
			if err != nil {
				return g, err
			}
		}
		if err := b.attachOnce(ctx, w, pinwatchCommand(), i == repeats-1, length, &g, &took[0]); err != nil {
			return g, err
		}
	}
	for _, t := range took {
		g.attach = append(g.attach, slices.Sorted(slices.Values(t))[len(t)/2])
	}
	return g, nil
}

// attachOnce attaches once, appends to took how long that took, and fills in the rest of g when it
// is to stay.
func (b *bench) attachOnce(
	ctx context.Context, w *client.Process, command []string, stay bool, length time.Duration,
	g *grown, took *[]time.Duration,
) error {
	dir, err := os.MkdirTemp(b.dir, "growth-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var p peer
	o, err := measure.Observe(ctx, p.filled(command, w.PID, dir, b.pinwatch), readyFile(w.PID, dir))
	if err != nil {
		return err
	}
	*took = append(*took, o.Took)
	var used time.Duration
	if stay {
		used, g.rss, err = steady(ctx, o, length)
	}
	if _, endErr := o.End(); err != nil || endErr != nil || !stay {
		return errors.Join(err, endErr)
	}
	var r struct {
		Window struct {
			Seconds float64 `json:"duration_s"`
		} `json:"window"`
		Counts struct {
			Switches uint64 `json:"switches"`
		} `json:"counts"`
		Loss struct {
			Total uint64 `json:"total"`
		} `json:"loss"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return fmt.Errorf("read pinwatch's report: %w", err)
	}
	if r.Window.Seconds == 0 || r.Counts.Switches == 0 {
		return fmt.Errorf("pinwatch reports %d switches in %v s", r.Counts.Switches, r.Window.Seconds)
	}
	g.switches, g.lost = float64(r.Counts.Switches)/r.Window.Seconds, r.Loss.Total
	g.cpu = used.Seconds() / length.Seconds()
	g.overheadNS = g.cpu * 1e9 / g.switches
	return nil
}

// steady measures a running observer: its CPU time over length, and its memory at the end.
func steady(
	ctx context.Context, o *measure.Observer, length time.Duration,
) (used time.Duration, rss uint64, err error) {
	before, err := measure.CPUTime(o.PID)
	if err != nil {
		return 0, 0, err
	}
	select {
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-time.After(length):
	}
	after, err := measure.CPUTime(o.PID)
	if err != nil {
		return 0, 0, err
	}
	rss, err = measure.RSSAnon(o.PID)
	return after - before, rss, err
}

func fileSize(path string) (int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
