package verify

import (
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// loops are the experiments with loops that only a signal interrupts.
func loops() []experiment {
	return []experiment{
		{"tight", func(r *run) error { return r.tight(nil, "-rounds", "3", "-chunk", "40ms") }},
		{"cooperative", func(r *run) error {
			return r.tight([]string{"GODEBUG=asyncpreemptoff=1"}, "-rounds", "2", "-chunk", "40ms")
		}},
		{"slices", slicesOfTime},
	}
}

// leastLeft is how much of a chunk of a loop must be left when something wants to interrupt it: ten times what that takes, as a hypervisor
// takes a CPU away for some milliseconds now and then, which nobody within can account for.
const leastLeft = 10 * time.Millisecond

// tight counts the stops of the world that came in the middle of a locked loop, and those of them that were over before it was. Tries that
// others on the machine spoilt are made up for by further trials, all of whose tries count.
func (r *run) tight(env []string, args ...string) error {
	var a trial.Tight
	err := repeated(func() (tried, spoilt int64, err error) {
		if err := r.trialAs(r.lab.Program, env, &a, append([]string{"tight"}, args...)...); err != nil {
			return 0, 0, err
		}
		t := triesOf(&a)
		r.add("locked_trials", t.tried)
		r.add("locked_interrupted", t.interrupted)
		r.add("locked_spoilt", t.spoilt)
		return t.tried, t.spoilt, nil
	})
	if err != nil {
		return err
	}
	r.Workloads = slices.Compact(r.Workloads)
	if minor, ok := contract.Minor(a.GoVersion); env != nil && ok && minor >= 14 {
		r.Notes = append(r.Notes, "shown on "+a.GoVersion+" with async preemption switched off; --go go1.13.15 tries the release itself")
	}
	return nil
}

// repeated does a trial again until it has had as many tries as the first had with those that were spoilt, three times in all at most.
// What the tries came to has no say in it.
func repeated(trial func() (tried, spoilt int64, err error)) error {
	tried, spoilt, err := trial()
	wanted := tried + spoilt
	for n := 1; err == nil && tried < wanted && n < attempts; n++ {
		var more int64
		more, _, err = trial()
		tried += more
	}
	return err
}

// tries are stops of the world that came in the middle of a chunk of a locked loop.
type tries struct{ tried, interrupted, spoilt int64 }

// triesOf sorts the stops by the chunks they came in. A stop is a try if so much of its chunk was left that the loop's own work was enough:
// without what the loop, and who asked for the stop, waited for a CPU. Whether it was in time has no say in that.
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
					t.spoilt++
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
		for _, ns := range round.Cycles {
			cycles[round.Locked] = append(cycles[round.Locked], float64(ns))
		}
	}
	r.sample("cycle_locked", cycles[true])
	r.sample("cycle_unlocked", cycles[false])
	return nil
}
