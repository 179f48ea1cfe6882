package trial_test

import (
	"testing"

	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func testSlices(t *testing.T) {
	a := runTrial(t, &trial.Slices{}, "slices", "-rounds", "4", "-length", "300ms")
	if len(a.Rounds) != 4 {
		t.Fatalf("%d rounds", len(a.Rounds))
	}
	cycles, shared := 0, 0
	for i, r := range a.Rounds {
		if r.Locked != (i%2 == 0) {
			t.Errorf("round %d is locked: %t", i, r.Locked)
		}
		if r.Locked && r.First == r.Second || r.First == 0 || r.Second == 0 {
			t.Errorf("round %d: loops on threads %d and %d, locked: %t", i, r.First, r.Second, r.Locked)
		}
		if r.First == r.Second {
			shared++
		}
		cycles += len(r.Cycles)
		for _, ns := range r.Cycles {
			if ns < 0 || ns > a.End-a.Start {
				t.Errorf("%d ns without a loop, of %d", ns, a.End-a.Start)
			}
		}
	}
	if shared == 0 {
		t.Error("unlocked loops never began on one thread")
	}
	if cycles == 0 {
		t.Error("no loop was ever preempted for the other")
	}
}

func testParked(t *testing.T) {
	a := runTrial(t, &trial.Parked{}, "parked", "-rounds", "2", "-threads", "4", "-watch", "200ms")
	if len(a.Released) != 8 {
		t.Fatalf("%d threads", len(a.Released))
	}
	seen := map[[2]int]bool{}
	for _, r := range a.Released {
		if r.TID == a.PID || r.TID == 0 || seen[[2]int{r.Round, r.TID}] {
			t.Errorf("main, none or twice: %+v", r)
		}
		seen[[2]int{r.Round, r.TID}] = true
		if r.First != nil && (r.First.At < r.Released || r.First.TID != r.TID) {
			t.Errorf("visited before it was free, or another: %+v, %+v", r, *r.First)
		}
		if r.Released < a.Start || r.Checks == 0 {
			t.Errorf("no other goroutine checked its thread: %+v", r)
		}
	}
}
