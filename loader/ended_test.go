package loader

import (
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// After TargetEnded no thread of the machine is on the slow path of system calls any more, and the
// other programs still run.
func TestTargetEnded(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "pingpong")
	before := slowTasks(t)
	s := openRefused(t, p.PID, Config{}, syscalls()...)
	if slowTasks(t) == 0 {
		t.Error("with programs on system calls no thread is slow: slowTasks does not count")
	}
	s.TargetEnded()
	if before > 0 {
		t.Log("not judged: another tracer is on some system call")
	} else {
		awaitFast(t)
	}
	drain(t, s)
	awaitKind(t, s, events.Switch)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// awaitFast returns once no thread is on the slow path of system calls.
func awaitFast(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); slowTasks(t) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("threads are still slow")
		}
	}
}

// awaitKind returns once a record of that kind has come.
func awaitKind(t *testing.T, s *Session, kind events.Kind) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, e := range drain(t, s) {
			if e.Kind == kind {
				return
			}
		}
	}
	t.Fatalf("no %v", kind)
}

// AwaitEnd waits for the end of the process, or for Close.
func TestAwaitEnd(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	for name, end := range map[string]func(*Target, *testenv.Proc){
		"end":   func(_ *Target, p *testenv.Proc) { p.End() },
		"close": func(target *Target, _ *testenv.Proc) { target.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			p := testenv.Workload(t, "idle")
			target, err := OpenTarget(p.PID)
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			returned := make(chan struct{})
			go func() {
				defer close(returned)
				target.AwaitEnd()
			}()
			select {
			case <-returned:
				t.Fatal("returned while the process lives")
			case <-time.After(50 * time.Millisecond):
			}
			end(target, p)
			select {
			case <-returned:
			case <-time.After(30 * time.Second):
				t.Fatal("did not return")
			}
		})
	}
}
