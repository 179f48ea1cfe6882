package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// watch is a workload, and pinwatch from the rest before its activity to the rest after it: both tell of the same. Another observer begins
// after pinwatch: who comes later to a hook stamps it later, by what those before him take, and others take longer.
type watch struct {
	workload []string
	start    func(testing.TB, ...string) *testenv.Proc // nil = testenv.Workload
	args     []string                                  // pinwatch's
	work     time.Duration                             // how long the activity lasts
	act      func(*testenv.Proc)                       // and what else is done then; nil = nothing
	beside   func(*testing.T, *testenv.Proc)           // another observer begins; nil = none
	ending   func()                                    // it is told to end, as pinwatch will be at once; nil = it is not yet
	after    func()                                    // and ends
}

// watched is what came of a watch. With -o ndjson there are intervals and no whole.
type watched struct {
	proc      *testenv.Proc // at rest; it still lives
	account   workload.Account
	threads   []int32 // at the end
	report    report.Report
	intervals []report.Report
}

// attempts is how often a watch is tried when records get lost, as they do on a machine that is busy with something else.
const attempts = 3

// run fails the test when every attempt was lossy.
func (w watch) run(t *testing.T) (got watched) {
	t.Helper()
	testenv.Require(t, testenv.BPF)
	untilWithout(t, "records were lost, every time", func() []string {
		got = w.once(t)
		problems := got.losses()
		if problems != nil {
			got.proc.Stop()
		}
		return problems
	})
	return got
}

func (w watch) once(t *testing.T) (got watched) {
	t.Helper()
	start := w.start
	if start == nil {
		start = testenv.Workload
	}
	got.proc = start(t, append(w.workload[:len(w.workload):len(w.workload)], "-hold")...)
	got.proc.Quiet()
	pinwatch := attachTo(t, got.proc.PID, w.args...)
	if w.beside != nil {
		w.beside(t, got.proc)
		got.proc.Quiet()
	}
	got.proc.Go()
	time.Sleep(w.work)
	if w.act != nil {
		w.act(got.proc)
	}
	got.account = got.proc.Quiesce()
	got.proc.Quiet()
	got.threads = got.proc.Threads()
	if w.ending != nil {
		w.ending()
	}
	text := pinwatch.text()
	if w.after != nil {
		w.after()
	}
	if lines := strings.Split(strings.TrimSpace(text), "\n"); strings.Contains(strings.Join(w.args, " "), "ndjson") {
		for _, line := range lines {
			got.intervals = append(got.intervals, parse(t, line))
		}
	} else {
		got.report = parse(t, text)
	}
	return got
}

// agree fails the test when no attempt at a comparison with bpftrace is without problems. The kernel skips such a program where another
// is just running on that CPU (trace_call_bpf in kernel/trace/bpf_trace.c) and tells nobody.
func agree(t *testing.T, compare func() (problems []string)) {
	t.Helper()
	untilWithout(t, "pinwatch and the others do not agree", compare)
}

// untilWithout fails the test when every attempt has problems.
func untilWithout(t *testing.T, failure string, attempt func() (problems []string)) {
	t.Helper()
	skips := 0
	for i := range attempts {
		problems := attempt()
		if len(problems) == 0 {
			return
		}
		t.Logf("attempt %d: %s", i+1, strings.Join(problems, "; "))
		if problems[0] == kernelSkipped {
			skips++
		}
	}
	if skips == attempts {
		testenv.RunsSkipped(t)
	}
	t.Fatal(failure)
}

// kernelSkipped is the problem of a window of which nothing is missing but what the kernel itself has skipped.
const kernelSkipped = "the kernel skipped runs of programs"

// lossProblems are those of a report that does not tell of everything.
func lossProblems(l report.Loss) []string {
	switch {
	case l.Total+l.Late != 0:
		return []string{fmt.Sprintf("lost %+v", l)}
	case l.RecursionMisses != 0:
		return []string{kernelSkipped, fmt.Sprint(l.RecursionMisses)}
	}
	return nil
}

func (w *watched) losses() []string {
	sum := w.report.Loss
	for _, r := range w.intervals {
		sum.Total += r.Loss.Total
		sum.Late += r.Loss.Late
		sum.RecursionMisses += r.Loss.RecursionMisses
	}
	return lossProblems(sum)
}

// alive are the threads that had not ended at the window's end, by tid.
func alive(r *report.Report) map[int]report.Thread {
	threads := map[int]report.Thread{}
	for _, th := range r.Threads {
		if th.ExitNS == nil {
			threads[int(th.TID)] = th
		}
	}
	return threads
}

// knownShare is the part of the looks at a thread's lock that passed the self-check; 0 without any.
func knownShare(l report.Locks) float64 {
	if l.Observations == 0 {
		return 0
	}
	return float64(l.Observations-l.Unknown) / float64(l.Observations)
}
