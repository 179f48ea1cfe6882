package loader

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// A locked thread shares a CPU with a process that runs for some microseconds at a time. On a CPU that
// is kept for chosen threads each wait with that process is sent, and on another one only long waits.
func TestIntrusionsOnIsolatedCPUs(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	const least = uint64(bpf.PinwatchConfigLimitDELAY_NS)
	for _, isolated := range [][]int{{cpu}, nil} {
		t.Run(fmt.Sprint(isolated), func(t *testing.T) {
			p := testenv.Workload(t, "spinners", "-n", "1", "-gc", "1h")
			rival := testenv.Workload(t, "pingpong", "-pairs", "1", "-batch", "1", "-pace", "2ms")
			for _, tid := range append(p.Threads(), rival.Threads()...) {
				if err := unix.SchedSetaffinity(int(tid), &one); err != nil {
					t.Fatal(err)
				}
			}
			rt, err := goruntime.Open(p.PID, goruntime.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer rt.Close()
			s := attachTo(t, p.PID, Config{Runtime: RuntimeOf(&rt.Info), Isolated: isolated})
			short, byRival := 0, 0
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
				for _, e := range drain(t, s) {
					if e.Kind != events.Delay {
						continue
					}
					last := events.ArgBefore
					if e.Has(events.DelayPreempted) {
						last = events.ArgTaker
					}
					if e.Args[events.ArgWait] < least {
						short++
						if e.Flags&(events.DelayBeforeOwn|events.DelayBeforeIdle) != 0 && last == events.ArgBefore {
							t.Errorf("no other process ran: %+v", e)
						}
					}
					if int(e.Args[last]) == rival.PID {
						byRival++
					}
					if e.Has(events.DelayIsolated) != (isolated != nil) {
						t.Errorf("isolated: %t, want %t", e.Has(events.DelayIsolated), isolated != nil)
					}
				}
				if isolated != nil && byRival >= 10 && short > 0 || isolated == nil && time.Until(deadline) < 8*time.Second {
					break
				}
			}
			if (short > 0) != (isolated != nil) || isolated != nil && byRival < 10 {
				t.Errorf("%d short waits, %d because of the rival", short, byRival)
			}
		})
	}
}
