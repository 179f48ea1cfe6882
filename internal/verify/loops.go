package verify

import (
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// loops are the experiments with loops that only a signal interrupts.
func loops() []experiment {
	return []experiment{
		{"tight", func(r *run) error { return r.tight(nil, "-rounds", "3") }},
		{"cooperative", func(r *run) error { return r.tight([]string{"GODEBUG=asyncpreemptoff=1"}, "-rounds", "2") }},
		{"slices", slicesOfTime},
	}
}

// leastLeft is how much of a chunk of a loop must be left when something wants to interrupt it.
const leastLeft = 5 * time.Millisecond

// tight counts the stops of the world that came in the middle of a locked loop, and those of them that were over before it was.
func (r *run) tight(env []string, args ...string) error {
	var a workload.Tight
	if err := r.trialAs(r.lab.Program, env, &a, append([]string{"tight"}, args...)...); err != nil {
		return err
	}
	for _, l := range a.Loops {
		if l.Disturb != "stop" {
			continue
		}
		kind := "unlocked"
		if l.Locked {
			kind = "locked"
		}
		for _, c := range l.Chunks {
			for _, s := range l.Stops {
				if s.From >= c.From && s.From <= c.To-int64(leastLeft) {
					r.add(kind+"_trials", 1)
					if s.To < c.To {
						r.add(kind+"_interrupted", 1)
					}
				}
			}
		}
	}
	if minor, ok := contract.Minor(a.GoVersion); env != nil && ok && minor >= 14 {
		r.Notes = append(r.Notes, "shown on "+a.GoVersion+" with async preemption switched off; --go go1.13.15 tries the release itself")
	}
	return nil
}

func slicesOfTime(r *run) error {
	var a workload.Slices
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
