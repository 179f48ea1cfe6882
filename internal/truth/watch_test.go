package truth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// watch is a workload that is observed from its rest before the activity to its rest after it, so
// that the report and the account are about the same. A witness begins after the observation: a
// program that comes to a hook later stamps later, by the time that those before it take, and the
// witnesses' programs take longer.
type watch struct {
	workload []string
	start    func(testing.TB, ...string) *testenv.Proc // nil = testenv.Workload
	config   observe.Config
	work     time.Duration                   // length of the activity
	act      func(*testenv.Proc)             // called then; nil = nothing
	beside   func(*testing.T, *testenv.Proc) // begins a witness; nil = none
	ending   func()                          // asks the witness to end, just before the observation ends; nil = not yet
	after    func()                          // ends the witness
}

// watched is the outcome of a watch.
type watched struct {
	proc      *testenv.Proc // at rest; it still lives
	account   workload.Account
	threads   []int32 // at the end
	report    report.Report
	intervals []report.Report
}

// attempts is the number of times that a comparison is tried. Records get lost on a machine that is
// busy with something else, and the kernel skips runs of programs.
const attempts = 3

// run fails the test when every attempt was lossy.
func (w watch) run(t *testing.T) (got watched) {
	t.Helper()
	testenv.Require(t, testenv.BPF)
	untilWithout(t, "records were lost, every time", func() []string {
		got = w.once(t)
		problems := lossProblems(got.report.Loss)
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
	observed := observeProcess(t, got.proc.PID, w.config)
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
	got.report = observed.end()
	if w.after != nil {
		w.after()
	}
	for _, interval := range observed.intervals {
		got.intervals = append(got.intervals, readReport(t, interval))
	}
	return got
}

// agree fails the test when every attempt at a comparison with a witness has problems. The kernel
// skips a program of bpftrace's where another runs on that CPU (trace_call_bpf in
// kernel/trace/bpf_trace.c), and counts that nowhere.
func agree(t *testing.T, compare func() (problems []string)) {
	t.Helper()
	untilWithout(t, "pinwatch and the witnesses do not agree", compare)
}

// agreeOnDurations is agree for comparisons of durations, which need a machine without other load.
func agreeOnDurations(t *testing.T, compare func() (problems []string)) {
	t.Helper()
	if testenv.Emulated() {
		testenv.NotJudged(t, "the machine is an emulator, and durations are the emulator's")
		return
	}
	testenv.Judge(t, attempts, compare)
}

// untilWithout fails the test when every attempt has problems. A window in which the kernel skipped
// runs of pinwatch's programs is no attempt and is repeated, as often as there are attempts.
func untilWithout(t *testing.T, failure string, attempt func() (problems []string)) {
	t.Helper()
	for failed, skipped := 0, 0; failed < attempts; {
		problems := attempt()
		if len(problems) == 0 {
			return
		}
		t.Logf("attempt %d: %s", failed+skipped+1, strings.Join(problems, "; "))
		if problems[0] != kernelSkipped {
			failed++
		} else if skipped++; skipped == attempts {
			testenv.RunsSkipped(t)
		}
	}
	t.Fatal(failure)
}

// kernelSkipped is the first problem of a window in which the kernel skipped runs of pinwatch's
// programs.
const kernelSkipped = "the kernel skipped runs of programs"

// lossProblems returns the problems of a report that lacks events.
func lossProblems(l report.Loss) []string {
	switch {
	case l.Total+l.Late != 0:
		return []string{fmt.Sprintf("lost %+v", l)}
	case l.RecursionMisses != 0:
		return []string{kernelSkipped, fmt.Sprint(l.RecursionMisses)}
	}
	return nil
}

// countProblems is lossProblems where counts are compared only: skipped runs that no count depends
// on do no harm.
func countProblems(r *report.Report) []string {
	if !r.Lossy() {
		return nil
	}
	return append(lossProblems(r.Loss), "a count may be wrong")
}

// alive returns the threads that had not ended at the window's end, by tid.
func alive(r *report.Report) map[int]report.Thread {
	threads := map[int]report.Thread{}
	for _, th := range r.Threads {
		if th.ExitNS == nil {
			threads[int(th.TID)] = th
		}
	}
	return threads
}

// alive returns the threads that are alive at the end of the report by /proc too. A thread that
// exits leaves /proc before it leaves its CPU for the last time (kernel/exit.c, exit_notify comes
// before the last schedule), and beside other load it can wait between the two.
func (w *watched) alive() map[int]report.Thread {
	threads := alive(&w.report)
	for tid, th := range threads {
		gone := !slices.Contains(w.threads, int32(tid)) // from /proc
		if gone && th.Lock == "exiting" && slices.Contains(w.account.LockedExitTIDs, tid) {
			delete(threads, tid)
		}
	}
	return threads
}

// knownShare is the part of the reads of a thread's lock that passed the self-check; 0 without any.
func knownShare(l report.Locks) float64 {
	if l.Observations == 0 {
		return 0
	}
	return float64(l.Observations-l.Unknown) / float64(l.Observations)
}
