package main_test

import (
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func TestCallsOfC(t *testing.T) {
	for _, slow := range []bool{false, true} {
		args := []string{"cgocalls", "-n", "10", "-batch", "100"}
		if slow {
			args = append(args, "-slow", "100000")
		}
		var a trial.CCalls
		testenv.CgoTrial(t, &a, args...)
		if len(a.Kinds) != 2*3+1 {
			t.Fatalf("kinds %+v", a.Kinds)
		}
		for _, k := range a.Kinds {
			if len(k.Locked) != 10 || len(k.Unlocked) != 10 || k.Batch < 1 {
				t.Fatalf("%+v", k)
			}
			shared := func(c trial.CCost) bool { return c.Shared }
			if slices.ContainsFunc(k.Locked, shared) || !slices.ContainsFunc(k.Unlocked, shared) {
				t.Errorf("%s beside %d: threads that the next goroutine ran on: %+v", k.Kind, k.Others, k)
			}
			dear := least(k.Locked) > 10*least(k.Unlocked)
			if k.Kind == "nothing" && dear != slow || least(k.Locked) <= 0 {
				t.Errorf("%s: %v ns locked, %v not; slowed down: %t", k.Kind, least(k.Locked), least(k.Unlocked), slow)
			}
		}
	}
}

func least(costs []trial.CCost) float64 {
	best := costs[0].Wall
	for _, c := range costs {
		best = min(best, c.Wall)
	}
	return best
}

func TestBlockingInC(t *testing.T) {
	for _, park := range []bool{false, true} {
		args := []string{"cgoretake", "-n", "5"}
		if park {
			args = append(args, "-park")
		}
		var a trial.Retake
		testenv.CgoTrial(t, &a, args...)
		// Rounds in which the other goroutine ran on the thread of the first before that ran again. A
		// goroutine that parks gives its thread to the other. One that blocks in C does not, but it may
		// be preempted just before its call: about one round in a hundred without a lock.
		same, free := 0, 0
		for _, r := range a.Rounds {
			if r.Other == 0 || r.Leave < r.Enter ||
				r.Locked && (r.TID != r.After || r.OtherTID == r.TID) {
				t.Errorf("%+v", r)
			}
			if !r.Locked {
				free++
			}
			if r.OtherTID == r.TID && r.Other < r.Leave {
				same++
			}
		}
		if free != 10 || len(a.Rounds) != 20 || park != (same > free/2) {
			t.Errorf("parked: %t: %d of %d rounds without a lock on one thread", park, same, free)
		}
	}
}

func TestCallsByC(t *testing.T) {
	for _, direct := range []bool{false, true} {
		args := []string{"callbacks", "-threads", "2"}
		if direct {
			args = append(args, "-direct")
		}
		var a trial.Callbacks
		testenv.CgoTrial(t, &a, args...)
		if len(a.Calls) != 2*2*3 {
			t.Fatalf("%d calls", len(a.Calls))
		}
		for _, c := range a.Calls {
			s := c.Stretch
			if bound := s.Moves+s.Visits+s.Strange == 0; bound == direct || !direct && s.TID != c.TID ||
				c.CThread != (c.Caller < 2) || s.Samples != 300 {
				t.Errorf("direct: %t: %+v", direct, c)
			}
		}
	}
}

func TestGrowthForC(t *testing.T) {
	for _, flag := range []string{"", "-unlock"} {
		args := []string{"cgogrow", "-steps", "2", "-rounds", "3", "-n", "16"}
		if flag != "" {
			args = append(args, flag)
		}
		var a trial.Grow
		testenv.CgoTrial(t, &a, args...)
		if len(a.Bursts) != 3 || len(a.Steps) != 3 {
			t.Fatalf("%s: %d bursts, %d steps", flag, len(a.Bursts), len(a.Steps))
		}
		born := 0
		for _, b := range a.Bursts[1:] { // the threads of the burst before have died, or wait
			for _, p := range b.Pins {
				if p.New {
					born++
				}
			}
			if b.Kind != "c" || len(b.Pins) != 16 {
				t.Errorf("%s: %+v", flag, b)
			}
		}
		if (born >= 8) != (flag == "") {
			t.Errorf("%s: %d new threads", flag, born)
		}
	}
}
