package witness

import (
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// bpftrace's switches are the kernel's counters, thread by thread.
func TestSwitchesAgreeWithTheKernel(t *testing.T) {
	testenv.Require(t, testenv.Bpftrace)
	for _, args := range [][]string{{"threads", "-n", "100", "-hold"}, {"demo", "-hold"}} {
		t.Run(args[0], func(t *testing.T) {
			p := testenv.Workload(t, args...)
			p.Quiet() // bpftrace attaches between two switches
			s := StartSwitches(t, p.PID)
			before, from := p.QuietAt()
			p.Go()
			time.Sleep(300 * time.Millisecond) // the length of the run
			a := p.Quiesce()
			after, to := p.QuietAt()
			events := s.Stop()

			all, byThread := CountSwitches(events, s.LastCPU, from, to)
			for tid, n := range after {
				if want := n - before[tid]; byThread[tid].Switches != want {
					t.Errorf("thread %d: %d switches, the kernel counts %d", tid, byThread[tid].Switches, want)
				}
			}
			dead := uint64(0)
			for _, e := range events {
				if e.Dead {
					dead++
				}
			}
			if dead != a.LockedExits {
				t.Errorf("%d threads ended; the account has %d", dead, a.LockedExits)
			}
			if all.Switches < a.Handoffs/2 || runtime.NumCPU() > 1 && all.Migrations == 0 {
				t.Errorf("%+v in %d hand-offs", all, a.Handoffs)
			}
			in, _ := CountSwitches(events, s.LastCPU, a.Start, a.End)
			rest, _ := CountSwitches(events, s.LastCPU, a.End, to)
			early, _ := CountSwitches(events, s.LastCPU, from, a.Start)
			if in.Switches+rest.Switches+early.Switches != all.Switches ||
				in.Migrations+rest.Migrations+early.Migrations != all.Migrations {
				t.Errorf("%+v before, %+v in and %+v after the window are not %+v", early, in, rest, all)
			}
		})
	}
}

func TestCountSwitches(t *testing.T) {
	out := func(time int64, tid int32, cpu int) SwitchEvent { return SwitchEvent{Time: time, TID: tid, CPU: cpu} }
	in := func(time int64, tid int32, cpu int) SwitchEvent {
		return SwitchEvent{Time: time, TID: tid, CPU: cpu, In: true}
	}
	dead := func(time int64, tid int32, cpu int) SwitchEvent {
		return SwitchEvent{Time: time, TID: tid, CPU: cpu, Dead: true}
	}
	events := []SwitchEvent{
		in(5, 1, 1), out(8, 1, 1), // before the window: where thread 1 ran
		in(10, 1, 0), out(11, 1, 0), // moved
		in(12, 2, 0), out(13, 2, 0), // moved from where it was before all events
		out(14, 3, 1), in(15, 3, 1), // born in the window, stayed
		dead(16, 3, 1), in(17, 3, 0), // another thread of the same id
		out(18, 1, 1),               // its switch-in was not reported
		out(20, 3, 0), in(21, 2, 1), // after the window
	}
	all, byThread := CountSwitches(events, map[int32]int{1: 0, 2: 1}, 10, 20)
	want := map[int32]SwitchCount{1: {2, 2, 1}, 2: {1, 1, 0}, 3: {2, 0, 0}}
	if all != (SwitchCount{5, 3, 1}) || !reflect.DeepEqual(byThread, want) {
		t.Errorf("%+v, %+v", all, byThread)
	}
}

func TestJoined(t *testing.T) {
	in, out := SwitchEvent{TID: 1, In: true}, SwitchEvent{TID: 1}
	elsewhere := SwitchEvent{TID: 1, CPU: 1}
	for _, c := range []struct {
		events []SwitchEvent
		ok     bool
	}{
		{[]SwitchEvent{in, out, in, out}, true},
		{[]SwitchEvent{out, in}, true},
		{[]SwitchEvent{{TID: 1, Dead: true}, out}, true},
		{[]SwitchEvent{out, {TID: 2}}, true},
		{[]SwitchEvent{in, in}, false},
		{[]SwitchEvent{out, in, in}, false},
		{[]SwitchEvent{out, elsewhere}, true},
		{[]SwitchEvent{in, elsewhere}, false},
	} {
		if err := joined(c.events); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.events, err)
		}
	}
}
