package trial_test

import "testing"

func testSlices(t *testing.T) {
	a := perform(t, &Slices{}, "slices", "-rounds", "4", "-length", "300ms")
	if len(a.Rounds) != 4 {
		t.Fatalf("%d rounds", len(a.Rounds))
	}
	cycles := 0
	for i, r := range a.Rounds {
		if r.Locked != (i%2 == 0) {
			t.Errorf("round %d is locked: %t", i, r.Locked)
		}
		cycles += len(r.Cycles)
		for _, ns := range r.Cycles {
			if ns < 0 || ns > a.End-a.Start {
				t.Errorf("%d ns that nobody ran, of %d", ns, a.End-a.Start)
			}
		}
	}
	if cycles == 0 {
		t.Error("no loop was ever preempted for the other")
	}
}

func testParked(t *testing.T) {
	a := perform(t, &Parked{}, "parked", "-rounds", "2", "-threads", "4")
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
		if r.Released < a.Start || r.Looks == 0 {
			t.Errorf("nobody looked: %+v", r)
		}
	}
}
