package truth

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestEveryThreadIsAccounted observes threads that come and go as fast as the machine can make them.
// Whatever the kernel skips, each thread was created, has exited or lives, and none was killed.
// System calls on BPF maps keep programs on classic tracepoints from running on their CPU
// (kernel/bpf/syscall.c, bpf_disable_instrumentation).
func TestEveryThreadIsAccounted(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	t.Run("alone", everyThreadIsAccounted)
	if testenv.Emulated() { // this alone keeps both CPUs of the emulator busy
		return
	}
	t.Run("beside map calls", func(t *testing.T) {
		callMaps(t)
		everyThreadIsAccounted(t)
	})
}

func everyThreadIsAccounted(t *testing.T) {
	p := testenv.Workload(t, "churn", "-rate", "10000", "-hold")
	p.Quiet()
	before := len(p.Threads())
	observed := observeProcess(t, p.PID, observe.Config{})
	p.Go()
	time.Sleep(2 * time.Second)
	account := p.Quiesce()
	p.Quiet()
	after := len(p.Threads())
	r := observed.end()
	c := r.Counts
	t.Logf("%d created, %d exited, %d killed; %+v", c.ThreadsCreated, c.ThreadsExited, c.ThreadsKilled, r.Loss)
	if c.ThreadsExited != account.LockedExits || c.ThreadsKilled != 0 {
		t.Errorf("%d threads exited, want %d; %d were killed", c.ThreadsExited, account.LockedExits, c.ThreadsKilled)
	}
	if want := after - before + int(account.LockedExits); int(c.ThreadsCreated) != want {
		t.Errorf("%d threads were created, want %d", c.ThreadsCreated, want)
	}
}

// callMaps keeps every CPU busy with system calls on a BPF map until the test ends.
func callMaps(t *testing.T) {
	t.Helper()
	const room = 100
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4096, MaxEntries: room})
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	stop := make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		callers.Wait()
		m.Close()
	})
	for range runtime.NumCPU() {
		callers.Go(func() {
			value := make([]byte, 4096)
			for i := uint32(0); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := m.Put(i%room, value); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
}

// TestSkippedRunsVoidWhatTheyTouch requires that runs which the kernel can skip have a known effect:
// those of programs that run where a thread can be preempted.
func TestSkippedRunsVoidWhatTheyTouch(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	never := []string{"sched_switch", "sched_waking", "sched_wakeup_new", "sched_migrate_task", "signal_generate",
		"signal_deliver", "sched_process_exec"}
	p := testenv.Workload(t, "idle")
	r := observeProcess(t, p.PID, observe.Config{Duration: 200 * time.Millisecond}).report()
	for _, program := range r.Observer.Programs {
		loss := correlate.Loss{Skipped: map[string]uint64{program.Name: 1}}
		if want := slices.Contains(never, program.Name); loss.Lossy() != want {
			t.Errorf("a skipped run of %s makes a run lossy: %t, want %t", program.Name, !want, want)
		}
	}
	if len(r.Observer.Programs) < len(never) {
		t.Errorf("%d programs", len(r.Observer.Programs))
	}
}
