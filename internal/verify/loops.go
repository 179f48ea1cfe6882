package verify

import (
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func tightLoop(r *run) error { return r.tight(nil, "-rounds", "3", "-chunk", "40ms") }

func cooperativeLoop(r *run) error {
	return r.tight([]string{"GODEBUG=asyncpreemptoff=1"}, "-rounds", "2", "-chunk", "40ms")
}

// leastLeft is the part of a loop's chunk that must be left when a stop of the world is requested.
// It is ten times what a stop takes: a hypervisor sometimes takes a CPU away for some milliseconds,
// which a guest cannot measure.
const leastLeft = 10 * time.Millisecond

// tight counts the stops of the world that were requested in the middle of a locked loop, and those
// of them that ended before the loop. Tries that other load disturbed are replaced by further
// trials, all of whose tries count.
func (r *run) tight(env []string, args ...string) error {
	var a trial.Tight
	err := repeated(func() (tried, spoilt int64, err error) {
		if err := r.trialAs(r.lab.Program, env, &a, append([]string{"tight"}, args...)...); err != nil {
			return 0, 0, err
		}
		t := triesOf(&a)
		r.add("locked_trials", t.tried)
		r.add("locked_interrupted", t.interrupted)
		r.add("locked_dropped", t.disturbed)
		for _, l := range a.Loops {
			for _, c := range l.Chunks {
				r.shared(l.Locked, c.Successor == c.TID)
			}
		}
		return t.tried, t.disturbed, nil
	})
	if err != nil {
		return err
	}
	r.Workloads = slices.Compact(r.Workloads)
	if minor, ok := contract.Minor(a.GoVersion); env != nil && ok && minor >= 14 {
		r.Notes = append(r.Notes,
			"shown on "+a.GoVersion+" with async preemption switched off; --go go1.13.15 tries the release itself")
	}
	return nil
}

// shared counts tries to have another goroutine on the thread of a locked one, or of an unlocked one.
func (r *run) shared(locked, yes bool) {
	kind := "unlocked"
	if locked {
		kind = "locked"
	}
	r.add(kind+"_tries", 1)
	if yes {
		r.add(kind+"_shared", 1)
	}
}

// repeated repeats a trial until there are as many tries as the first trial had with its disturbed
// ones, three times in all at most. The results of the tries do not matter.
func repeated(trial func() (tried, disturbed int64, err error)) error {
	tried, disturbed, err := trial()
	wanted := tried + disturbed
	for n := 1; err == nil && tried < wanted && n < attempts; n++ {
		var more int64
		more, _, err = trial()
		tried += more
	}
	return err
}

// tries are stops of the world that were requested in the middle of a chunk of a locked loop.
type tries struct{ tried, interrupted, disturbed int64 }

// triesOf counts the stops by chunk. A stop is a try if leastLeft of its chunk was left, without
// the times that the loop and the stopping goroutine waited for a CPU. Whether it was in time does
// not matter for that.
func triesOf(a *trial.Tight) (t tries) {
	for _, l := range a.Loops {
		if l.Disturb != "stop" || !l.Locked {
			continue
		}
		for _, c := range l.Chunks {
			for _, s := range l.Stops {
				left := c.To - s.From
				switch {
				case s.From < c.From || left < int64(leastLeft):
				case left-max(0, s.Wait)-max(0, c.Wait) < int64(leastLeft):
					t.disturbed++
				default:
					t.tried++
					if s.To < c.To {
						t.interrupted++
					}
				}
			}
		}
	}
	return t
}

func slicesOfTime(r *run) error {
	var a trial.Slices
	if err := r.trial(&a, "slices", "-rounds", "12", "-length", "500ms"); err != nil {
		return err
	}
	cycles := map[bool][]float64{}
	for _, round := range a.Rounds {
		r.shared(round.Locked, round.Second == round.First)
		if round.Locked {
			r.add("locked_rounds", 1)
			if len(round.Cycles) > 0 {
				r.add("sliced", 1)
			}
		}
		for _, ns := range round.Cycles {
			cycles[round.Locked] = append(cycles[round.Locked], float64(ns))
		}
	}
	r.sample("cycle_locked", cycles[true])
	r.sample("cycle_unlocked", cycles[false])
	return nil
}
