package correlate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Every file testdata/SCENARIO.txt is a stream in the text form of events; what it adds up to is SCENARIO.golden.
// In the files target 100 is observed, CPUs 0 and 1 are siblings, and asyncPreempt is at 4096.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".txt")
		t.Run(filepath.Base(name), func(t *testing.T) {
			var got bytes.Buffer
			for _, r := range replay(t, file) {
				if err := Validate(r); err != nil {
					t.Errorf("invalid result: %v", err)
				}
				dump(&got, r)
			}
			testenv.Golden(t, name+".golden", got.Bytes())
		})
	}
}

func replay(t *testing.T, file string) []*Result {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{TGID: 100, AsyncPreempt: 4096, Distance: func(a, b int) string {
		if a/2 == b/2 {
			return "smt"
		}
		return "llc"
	}})
	var results []*Result
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		if line == "" || line[0] == '#' {
			continue
		}
		e, err := events.ParseText(line)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, c.Add(&e)...)
	}
	if len(results) == 0 {
		t.Fatal("the scenario settles no window")
	}
	return results
}

// dump prints all of a result that is not zero.
func dump(w *bytes.Buffer, r *Result) {
	fmt.Fprintf(w, "window [%d, %d) interval=%v\n", r.Start, r.End, r.Interval)
	c := r.Counts
	var notInjected uint64
	if c.SigurgNotInjected != nil {
		notInjected = *c.SigurgNotInjected
	}
	for _, n := range []struct {
		name string
		v    uint64
	}{
		{"threads", c.Threads}, {"created", c.ThreadsCreated}, {"exited", c.ThreadsExited}, {"killed", c.ThreadsKilled},
		{"sent", c.SigurgSent}, {"generated", c.SigurgGenerated}, {"coalesced", c.SigurgCoalesced}, {"delivered", c.SigurgDelivered},
		{"foreign", c.SigurgForeign}, {"not_injected", notInjected}, {"switches", c.Switches}, {"migrations", c.Migrations},
		{"broken", r.Loss.BrokenLinks}, {"lost", r.Loss.Total()}, {"omitted", r.ThreadsOmitted},
	} {
		if n.v != 0 {
			fmt.Fprintf(w, "  %s=%d", n.name, n.v)
		}
	}
	fmt.Fprintln(w)
	if c.Migrations > 0 {
		fmt.Fprintf(w, "  moves %v %v\n", r.Moves.ByWhy, r.Moves.ByDistance)
	}
	for _, k := range r.Costs {
		if k.Hist.N() == 0 && k.Unfinished == 0 {
			continue
		}
		fmt.Fprintf(w, "  %s %s", k.ID, k.Phase)
		for _, s := range []string{k.Bound, k.State} {
			if s != "" {
				fmt.Fprintf(w, " %s", s)
			}
		}
		fmt.Fprintf(w, ": n=%d", k.Hist.N())
		if k.Hist.N() > 0 {
			fmt.Fprintf(w, " min=%d max=%d", k.Hist.Min(), k.Hist.Max())
		}
		if k.OffCPU != nil {
			fmt.Fprintf(w, " off=%g", *k.OffCPU)
		}
		if k.Unfinished != 0 {
			fmt.Fprintf(w, " unfinished=%d", k.Unfinished)
		}
		fmt.Fprintln(w)
	}
	for _, t := range r.Threads {
		fmt.Fprintf(w, "  thread %d %q by=%d start=%d exit=%d switches=%d migrations=%d run=%d runq=%d blocked=%d unknown=%d cpus=%v\n",
			t.TID, t.Name, t.CreatedBy, t.StartedAt, t.ExitedAt, t.Switches, t.Migrations, t.Run, t.Runq, t.Blocked, t.Unknown, t.CPUs)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, "  warning:", warning)
	}
}
