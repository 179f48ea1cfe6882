package loader

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// flooded are the switches of a flood: received, lost because a buffer was full, of threads without
// state, and those that the kernel counted.
type flooded struct {
	received, lost, untracked, counted uint64
	took                               time.Duration
}

// flood lets a workload switch as fast as it can, for a second and until the session has lost
// enough switches. The workload is at rest before and after.
func flood(t *testing.T, cfg Config, enough uint64) (f flooded) {
	t.Helper()
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong", "-pairs", "2", "-hold")
	p.Quiet()
	s := attachTo(t, p.PID, cfg)
	ring := ringOf(t, s)
	before := p.ContextSwitches()
	began := time.Now()
	p.Go()
	for ring.LostTurns() < enough || time.Since(began) < time.Second {
		if time.Since(began) > time.Minute {
			t.Fatalf("after a minute %d switches are lost", ring.LostTurns())
		}
		f.received += switches(drain(t, s))
		time.Sleep(20 * time.Millisecond)
	}
	p.Quiesce()
	p.Quiet()
	f.took = time.Since(began)
	f.received += switches(drain(t, s))
	for tid, n := range p.ContextSwitches() {
		f.counted += n - before[tid]
	}
	f.lost, f.untracked = ring.LostTurns(), ring.UntrackedTurns()
	return f
}

func switches(all []events.Event) (n uint64) {
	for i := range all {
		if all[i].Kind == events.Switch {
			n++
		}
	}
	return n
}

// Received and lost switches add up to the kernel's count.
func TestFloodIsAccountedFor(t *testing.T) {
	f := flood(t, Config{RingBytes: 1}, 10000)
	if f.received == 0 || f.received+f.lost != f.counted || f.untracked != 0 {
		t.Errorf("%+v", f)
	}
	t.Logf("%+v", f)
}

// With room for everything, nothing is lost or received twice.
func TestNoFloodIsTooHigh(t *testing.T) {
	f := flood(t, Config{}, 0)
	if f.received != f.counted || f.lost+f.untracked != 0 {
		t.Errorf("%+v", f)
	}
	t.Logf("%+v", f)
}

// On a CPU that came after the attach, and has no ring, no switch is lost unseen.
func TestCPUsWithoutARing(t *testing.T) {
	f := flood(t, Config{ringCPUs: 1}, 0)
	if f.received == 0 || f.received+f.lost != f.counted {
		t.Errorf("%+v", f)
	}
	t.Logf("%+v", f)
}

func TestMaxRate(t *testing.T) {
	const rate = 2000
	f := flood(t, Config{MaxRate: rate}, 1000)
	if f.received+f.lost != f.counted {
		t.Errorf("%+v", f)
	}
	// Two CPUs may begin the same window, and each may have a chunk left from the window before.
	if most := uint64(rate * (f.took.Seconds() + 0.2) * 1.5); f.received > most {
		t.Errorf("%d received in %v, want %d per second", f.received, f.took, rate)
	}
}

// When signals from outside fill the ring, births of threads still arrive.
func TestLifecycleSurvivesASignalFlood(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "churn", "-hold")
	s := attachTo(t, p.PID, Config{RingBytes: 2 << 20})
	lost := func() [bpf.PinwatchEventKindKIND_COUNT]uint64 {
		n, err := s.Lost()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for deadline := time.Now().Add(time.Minute); lost()[events.SignalGenerate] < 100; {
		if err := unix.Tgkill(p.PID, p.PID, unix.SIGURG); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the ring does not fill up")
		}
	}
	if n := lost(); n[events.NewTask] != 0 || n[events.ExitEnter] != 0 {
		t.Fatalf("lost %v before any thread came or went", n)
	}
	before := p.Threads()
	p.Go()
	awaitBirth(t, p, before)
	p.Stop()
	var births int
	for _, e := range drain(t, s) {
		if e.Kind == events.NewTask {
			births++
		}
	}
	if births == 0 {
		t.Error("no birth arrived")
	}
}

// Where CPUs have ring buffers of their own, each writes to its own, and every birth and end of a
// thread arrives.
func TestRingBuffersOfCPUs(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "churn", "-hold")
	before := len(p.Threads())
	s := attachTo(t, p.PID, Config{ringShared: 1})
	p.Go()
	time.Sleep(500 * time.Millisecond)
	account := p.Quiesce()
	births, exits := 0, 0
	for i, shared := range s.Rings() {
		for _, e := range drainOf(t, s, shared) {
			if e.Kind != events.Switch && int(e.CPU)%len(s.Rings()) != i {
				t.Fatalf("a record of CPU %d in ring buffer %d", e.CPU, i)
			}
			switch e.Kind {
			case events.NewTask:
				births++
			case events.ProcessExit:
				exits++
			}
		}
	}
	if s.Buffers.rings < s.Buffers.cpus || exits != int(account.LockedExits) ||
		births != len(p.Threads())-before+exits {
		t.Errorf("%+v: %d births and %d ends, want %d", s.Buffers, births, exits, account.LockedExits)
	}
}

// awaitBirth waits until the workload has a thread that is not among before.
func awaitBirth(t *testing.T, p *testenv.Proc, before []int32) {
	t.Helper()
	born := func(tid int32) bool { return !slices.Contains(before, tid) }
	for deadline := time.Now().Add(time.Minute); !slices.ContainsFunc(p.Threads(), born); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the workload makes no thread")
		}
	}
}

// Every birth, switch and end of a thread arrives even if the programs on its birth and its end do
// not run, as when the kernel skips them.
func TestProgramsThatAreSkipped(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "churn", "-hold")
	before := p.Quiet()
	s := attachTo(t, p.PID, Config{})
	skipped := []string{"task_newtask", "sched_process_exit", "sys_enter_exit"}
	s.attached = slices.DeleteFunc(s.attached, func(a attachment) bool {
		if !slices.Contains(skipped, a.name) {
			return false
		}
		skipped = slices.DeleteFunc(skipped, func(name string) bool { return name == a.name })
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		return true
	})
	if len(skipped) > 0 {
		t.Fatalf("not attached: %v", skipped)
	}
	p.Go()
	time.Sleep(500 * time.Millisecond)
	account := p.Quiesce()
	counted := p.Quiet()
	received := map[int32]uint64{}
	var births, exits int
	for _, e := range drain(t, s) {
		switch e.Kind {
		case events.Switch:
			received[int32(e.TID)]++
		case events.NewTask:
			births++
		case events.ProcessExit:
			if !e.Has(events.ExitCalled) {
				t.Errorf("thread %d ended by other means than exit(2)", e.TID)
			}
			exits++
		}
	}
	for tid, n := range counted {
		if received[tid] != n-before[tid] {
			t.Errorf("thread %d: %d switches received, the kernel has counted %d", tid, received[tid], n-before[tid])
		}
	}
	if lost := ringOf(t, s).LostTurns(); lost > 0 || exits == 0 || exits != int(account.LockedExits) {
		t.Errorf("%d turns lost; %d threads ended, want %d", lost, exits, account.LockedExits)
	}
	if want := len(counted) - len(before) + exits; births != want {
		t.Errorf("%d births, want %d", births, want)
	}
}
