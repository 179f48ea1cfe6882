package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/pinwatch/pinwatch/scripts/measure"
)

// hogs are the busy processes of a run beside other load: one for each CPU of the smallest machine
// that must pass.
const hogs = 2

// logDir holds each run's output.
const logDir = ".cache/repeat"

// series are n runs under the same condition.
type series struct {
	name     string
	runs     int
	failures map[string]int // by name, the runs in which it failed
}

// repeated runs everything n times alone and n times beside hogs, and prints a line per run and the
// table. An interrupt ends it with the table of the runs so far.
func repeated(ctx context.Context, n int, extra []string) error {
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return err
	}
	fmt.Printf("each run's output is kept in %s\n", logDir)
	alone := &series{name: "alone", failures: map[string]int{}}
	beside := &series{name: "beside hogs", failures: map[string]int{}}
	err := alone.repeat(ctx, n, extra, "alone")
	if err == nil {
		var stop func()
		if stop, err = measure.StartHogs(hogs); err == nil {
			err = beside.repeat(ctx, n, extra, "beside")
			stop()
		}
	}
	if err != nil {
		return err
	}
	printFailures(os.Stdout, alone, beside)
	if len(alone.failures)+len(beside.failures) > 0 {
		return errFailed
	}
	return nil
}

func (s *series) repeat(ctx context.Context, n int, extra []string, file string) error {
	for i := 1; i <= n && ctx.Err() == nil; i++ {
		log, err := os.Create(filepath.Join(logDir, fmt.Sprintf("%s-%d.log", file, i)))
		if err != nil {
			return err
		}
		began := time.Now()
		r := run(ctx, log, extra)
		if err := log.Close(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		s.add(r)
		fmt.Printf("%s %d of %d: %.0f s, %d passed, %d failed, %d skipped, %d not judged\n",
			s.name, i, n, time.Since(began).Seconds(), r.counts[passed], r.counts[failed], len(r.skips), len(r.unjudged))
	}
	return nil
}

func (s *series) add(r *results) {
	s.runs++
	slices.Sort(r.failures)
	for _, name := range slices.Compact(r.failures) {
		s.failures[name]++
	}
}

// printFailures prints a row per test that ever failed.
func printFailures(w io.Writer, alone, beside *series) {
	names := map[string]int{}
	maps.Copy(names, alone.failures)
	maps.Copy(names, beside.failures)
	if len(names) == 0 {
		fmt.Fprintf(w, "\nno test failed in %d runs alone and %d beside %d hogs\n", alone.runs, beside.runs, hogs)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nFAILED\t%s\t%s\n", alone.name, beside.name)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(t, "%s\t%d of %d\t%d of %d\n", name, alone.failures[name], alone.runs, beside.failures[name], beside.runs)
	}
	t.Flush()
}
