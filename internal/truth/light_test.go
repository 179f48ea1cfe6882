package truth

import (
	"slices"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
	"github.com/pinwatch/pinwatch/loader"
)

// TestLight observes without a hook on any system call. Counts are the trace buffer's, counts that
// cannot be known are null, and costs that cannot be measured have no row. The workload's threads
// exit by exit(2) and, at its end, are killed.
func TestLight(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Tracefs)
	for _, name := range []string{"churn", "storm"} {
		t.Run(name, func(t *testing.T) {
			var r report.Report
			var calls []witness.TraceEvent
			untilWithout(t, "records were lost, every time", func() []string {
				r, calls = observeLight(t, name)
				return lossProblems(r.Loss)
			})
			checkLight(t, &r, calls, name == "churn")
		})
	}
}

// observeLight returns the report and what the trace buffer has of the same threads.
func observeLight(t *testing.T, workload string) (report.Report, []witness.TraceEvent) {
	t.Helper()
	p := testenv.Workload(t, workload, "-hold")
	p.Quiet()
	trace := witness.StartTrace(t, traced)
	initial := p.Threads()
	observed := observeProcess(t, p.PID, observe.Config{Light: true})
	p.Go()
	time.Sleep(500 * time.Millisecond) // the length of the run
	p.Stop()
	return observed.report(), witness.OfThreads(trace.Stop(), initial)
}

func checkLight(t *testing.T, r *report.Report, calls []witness.TraceEvent, churn bool) {
	t.Helper()
	const sigurg = 23
	count := func(name string, args ...any) uint64 {
		return uint64(witness.CountEvents(calls, r.Window.StartNS, r.Window.EndNS, name, args...))
	}
	c := r.Counts
	exits := count("sys_enter_exit")
	for name, n := range map[string][2]uint64{
		"created":   {c.ThreadsCreated, count("task_newtask")},
		"exited":    {c.ThreadsExited, exits},
		"killed":    {c.ThreadsKilled, count("sched_process_exit") - exits},
		"generated": {c.SigurgGenerated, count("signal_generate", "sig", sigurg)},
		"delivered": {c.SigurgDelivered, count("signal_deliver", "sig", sigurg)},
	} {
		if n[0] != n[1] {
			t.Errorf("%s: the report has %d, the trace %d", name, n[0], n[1])
		}
	}
	if c.ThreadsKilled == 0 || churn && exits == 0 || !churn && c.SigurgDelivered == 0 {
		t.Errorf("the workload hardly worked: %+v", c)
	}
	if c.SigurgSent != nil || c.SigurgNotInjected != nil || c.ThreadsExitedLocked != nil {
		t.Errorf("counts that can't be known are not null: %+v", c)
	}
	for _, call := range []string{"clone", "clone3", "exit", "tgkill", "rt_sigreturn", "rt_sigprocmask",
		"sigaltstack"} {
		if r.Observer.Hooks[call] != loader.Off {
			t.Errorf("%s is watched by %q", call, r.Observer.Hooks[call])
		}
	}
	known := map[string]uint64{}
	for _, k := range r.Causes {
		if k.Cause != "unknown" {
			known[k.What] += k.N
		}
	}
	if churn && 2*known["create"] < c.ThreadsCreated || !churn && 2*known["preempt"] < c.SigurgGenerated {
		t.Errorf("causes are known of %v only, of %+v", known, c)
	}
	for i := range r.Costs {
		if phase := r.Costs[i].Phase; !slices.Contains([]string{"runq_wait", "free", "deliver", "wake", "cpu"}, phase) {
			t.Errorf("a row for %s", phase)
		}
	}
	if row := lightRow(r, "runq_wait"); churn && (row == nil || row.N == 0) {
		t.Error("no thread's wait for a CPU was measured")
	}
	if row := lightRow(r, "deliver"); !churn && (row == nil || row.N == 0) {
		t.Error("no delivery was measured")
	}
}

// lightRow is the row of a phase over all samples.
func lightRow(r *report.Report, phase string) *report.Cost {
	i := slices.IndexFunc(r.Costs, func(c report.Cost) bool {
		return c.Phase == phase && c.Locked == "" && c.Cause == nil && c.State == nil
	})
	if i < 0 {
		return nil
	}
	return &r.Costs[i]
}
