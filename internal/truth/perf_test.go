package truth

import (
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// TestPerfIsNotBlinded records with perf on the tracepoints that pinwatch is on. perf has the same
// events as without pinwatch: a program that returned 0 would keep every process's events from it.
// Another process's program may do that, too.
func TestPerfIsNotBlinded(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.PerfRecord)
	if others := testenv.OtherTracers(t); len(others) > 0 {
		t.Logf("processes %v trace, too", others)
		return
	}
	p := testenv.Workload(t, "churn", "-hold", "-rate", "300")
	initial := p.Threads()
	observed := observeProcess(t, p.PID, observe.Config{})
	perf := witness.StartPerf(t, "workload", traced)
	p.Go()
	time.Sleep(300 * time.Millisecond) // the length of the run
	a := p.Quiesce()
	p.Quiet()
	calls := witness.OfThreads(perf.Stop(), initial)
	r := observed.end()
	for _, c := range []struct {
		name string
		want uint64
	}{
		{"sys_enter_clone", r.Counts.ThreadsCreated}, {"sys_enter_exit", a.LockedExits}, {"sys_enter_tgkill",
			*r.Counts.SigurgSent},
	} {
		if n := witness.CountEvents(calls, 0, testenv.Now(), c.name); uint64(n) != c.want {
			t.Errorf("%s: perf has %d, pinwatch %d", c.name, n, c.want)
		}
	}
}
