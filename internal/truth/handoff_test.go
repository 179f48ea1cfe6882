package truth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// handoffScript counts the calls of startlockedm, which hands a P to a locked thread and wakes it.
// It also counts the voluntary switch-outs between stoplockedm and execute, where a thread waits
// for that. Its arguments are those of resumeScript.
const handoffScript = `
uprobe:%[3]s:%[4]d {
	if (pid == %[1]d) { @calls = count(); }
	if (pid == %[2]d) { printf("ready startlockedm\n"); }
}
uprobe:%[3]s:%[5]d {
	if (pid == %[1]d) { @stopped[tid] = 1; }
	if (pid == %[2]d) { printf("ready stoplockedm\n"); }
}
uprobe:%[3]s:%[6]d {
	if (pid == %[1]d) { delete(@stopped[tid]); }
	if (pid == %[2]d) { printf("ready execute\n"); }
}
tracepoint:sched:sched_switch /pid == %[1]d && (args->prev_state & 0xff)/ { if (@stopped[tid]) { @sleeps = count(); } }
END { clear(@stopped); }
`

// TestHandoffsAreTheRuntimes: a hand-off ends the sleep of a locked thread in stoplockedm. The
// runtime calls startlockedm for each, and also for threads that did not get to sleep.
func TestHandoffsAreTheRuntimes(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Bpftrace)
	agree(t, func() []string { return compareHandoffs(t) })
}

func compareHandoffs(t *testing.T) (problems []string) {
	t.Helper()
	other := testenv.Workload(t, "pingpong", "-pace", "1ms")
	var script *witness.Script
	var text string
	w := watch{workload: strings.Fields("pingpong -batch 20 -pace 1ms"), work: time.Second,
		beside: func(t *testing.T, p *testenv.Proc) {
			exe := fmt.Sprintf("/proc/%d/exe", p.PID)
			f := functions(t, exe, "startlockedm", "stoplockedm", "execute")
			script = witness.StartScript(t, fmt.Sprintf(handoffScript, p.PID, other.PID, exe, f[0], f[1], f[2]),
				func() {},
				"ready startlockedm", "ready stoplockedm", "ready execute")
			other.Stop()
		},
		after: func() { text = script.Stop() },
	}.run(t)
	calls, sleeps, broken := counter(text, "@calls"), counter(text, "@sleeps"), w.report.Loss.BrokenLinks
	var n uint64
	for _, th := range w.report.Threads {
		if th.Handoff != nil {
			n += th.Handoff.N
		}
	}
	if samples := costOf(t, &w.report, "X-handoff", "wake").N; n == 0 || n != uint64(samples) {
		t.Errorf("%d hand-offs, %d samples", n, samples)
	}
	t.Logf("%d hand-offs, %d broken links; bpftrace has %d calls, %d sleeps", n, broken, calls, sleeps)
	// Each pinned thread sleeps before the activity and after it; of a sleep whose end was not
	// traced nothing is known.
	if underWay := uint64(2 * len(w.account.Pins)); n > calls || n > sleeps || sleeps-n > underWay+broken {
		problems = append(problems, "the numbers differ")
	}
	return problems
}
