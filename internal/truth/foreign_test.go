package truth

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// TestForeignSignalsCoalesce sends two SIGURGs from outside, of which the second finds the first
// pending. Both are generated and foreign, one is coalesced, one delivered. The target's thread
// cannot run in between.
func TestForeignSignalsCoalesce(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Tracefs)
	t.Setenv("GODEBUG", "asyncpreemptoff=1") // the target sends itself none

	// A runnable thread: it spins, and may only do so on the CPU that the sender holds with a
	// real-time priority.
	t.Run("runnable", func(t *testing.T) {
		p := testenv.Workload(t, "spinners", "-n", "1", "-gc", "1h", "-hold")
		foreign(t, p, func() int32 {
			p.Go()
			cpu := confine(t, p)
			tid := waitFor(t, p, 'R', 1)
			return sendTwice(t, p.PID, tid, func() error { return seize(cpu) })
		}, func() { p.Quiesce() })
	})

	// A stopped thread takes no signal until it is continued.
	t.Run("stopped", func(t *testing.T) {
		p := testenv.Workload(t, "idle", "-hold")
		foreign(t, p, func() int32 {
			if err := unix.Kill(p.PID, unix.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			tid := waitFor(t, p, 'T', len(p.Threads()))
			return sendTwice(t, p.PID, tid, func() error { return nil })
		}, func() {
			if err := unix.Kill(p.PID, unix.SIGCONT); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// foreign observes the process. send sends two SIGURGs and returns the sending thread, and release
// lets the target take them.
func foreign(t *testing.T, p *testenv.Proc, send func() int32, release func()) {
	t.Helper()
	p.Quiet()
	trace := witness.StartTrace(t, traced)
	initial := p.Threads()
	observed := observeProcess(t, p.PID, observe.Config{})
	sender := send()
	release()
	p.Quiet()
	r := observed.end()
	events := witness.OfThreads(trace.Stop(), initial)

	count := func(name string, args ...any) uint64 {
		return uint64(witness.CountEvents(events, r.Window.StartNS, r.Window.EndNS, name,
			append(args, "sig", int(unix.SIGURG))...))
	}
	var foreign uint64
	for _, e := range events {
		if sig, _ := e.Int("sig"); e.Name == "signal_generate" && sig == int64(unix.SIGURG) && e.TID == sender {
			foreign++
		}
	}
	c := r.Counts
	for _, n := range []struct {
		name             string
		got, trace, want uint64
	}{
		{"sent", *c.SigurgSent, count("sys_enter_tgkill"), 0},
		{"generated", c.SigurgGenerated, count("signal_generate"), 2},
		{"foreign", c.SigurgForeign, foreign, 2},
		{"coalesced", c.SigurgCoalesced, count("signal_generate", "res", 2), 1},
		{"delivered", c.SigurgDelivered, count("signal_deliver"), 1},
	} {
		if n.got != n.want || n.trace != n.want {
			t.Errorf("SIGURG %s: %d, the trace has %d, want %d", n.name, n.got, n.trace, n.want)
		}
	}
}

// confine lets the process run on one CPU only and returns which.
func confine(t *testing.T, p *testenv.Proc) int {
	t.Helper()
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(p.PID, &allowed); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	for done := map[int32]bool{}; ; { // a thread may create another before it is confined itself
		before := len(done)
		for _, tid := range p.Threads() {
			if err := unix.SchedSetaffinity(int(tid), &one); err != nil && !errors.Is(err, unix.ESRCH) {
				t.Fatal(err)
			}
			done[tid] = true
		}
		if len(done) == before {
			return cpu
		}
	}
}

// waitFor waits until that many threads of the process are in a state, as procfs.Stat has it, at
// several reads in a row. It returns one of them.
func waitFor(t *testing.T, p *testenv.Proc, state byte, threads int) (tid int32) {
	t.Helper()
	reads := 0
	for deadline := time.Now().Add(time.Minute); reads < 3; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %d threads in state %c", threads, state)
		}
		found := 0
		for _, id := range p.Threads() {
			if stat, err := procfs.Thread(p.PID, id).Stat(); err == nil && stat.State == state {
				found++
				tid = id
			}
		}
		if reads++; found < threads {
			reads = 0
		}
	}
	return tid
}

// seize puts the calling thread on the CPU with a real-time priority: no ordinary thread runs there
// then.
func seize(cpu int) error {
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("move to CPU %d: %w", cpu, err)
	}
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1},
		0); err != nil {
		return fmt.Errorf("get a real-time priority: %w", err)
	}
	return nil
}

// sendTwice sends a thread two SIGURGs from a new thread, after prepare, and returns the new
// thread.
func sendTwice(t *testing.T, pid int, tid int32, prepare func() error) (sender int32) {
	t.Helper()
	sent := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and its priority with it
		sender = int32(unix.Gettid())
		err := prepare()
		if err == nil {
			// The runtime does not notice raw calls, so it does not pause the thread between them.
			_, _, first := unix.RawSyscall(unix.SYS_TGKILL, uintptr(pid), uintptr(tid), uintptr(unix.SIGURG))
			_, _, second := unix.RawSyscall(unix.SYS_TGKILL, uintptr(pid), uintptr(tid), uintptr(unix.SIGURG))
			for _, errno := range []unix.Errno{first, second} {
				if errno != 0 {
					err = fmt.Errorf("send SIGURG: %w", errno)
				}
			}
		}
		sent <- err
	}()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return sender
}
