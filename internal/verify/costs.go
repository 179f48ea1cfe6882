package verify

import (
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func lockCost(r *run) error {
	var a trial.LockCost
	if err := r.trial(&a, "lockcost"); err != nil {
		return err
	}
	wall := func(costs []trial.Cost) []float64 {
		var v []float64
		for _, c := range costs {
			v = append(v, c.Wall)
		}
		return v
	}
	lock := wall(a.Lock)
	r.sample("lock", lock)
	r.sample("unlock", wall(a.Unlock))
	for name, costs := range map[string][]trial.Cost{"lock_by_empty": a.Lock, "unlock_by_empty": a.Unlock} {
		var ratios []float64
		for i, c := range costs { // a batch of each, in turn
			ratios = append(ratios, c.Wall/a.Empty[i].Wall)
		}
		r.Samples[name] = contract.NewSample("ratio", ratios)
	}
	slices.Sort(lock)
	var first, ratio []float64
	for _, f := range a.Firsts {
		r.add("firsts", 1)
		if f.During > f.Before {
			r.add("template_started", 1)
		}
		ns := float64(max(0, f.Wall-f.Clock))
		first = append(first, ns)
		if later := lock[len(lock)/2]; later > 0 {
			ratio = append(ratio, ns/later)
		}
	}
	r.sample("first_lock", first)
	r.Samples["first_ratio"] = contract.NewSample("ratio", ratio)
	return nil
}

// saturate measures, for every goroutine of a burst that had to wait for a new thread, the time to
// its first instruction. The time starts when the goroutine before it blocked, or when it was
// created if that was later.
func saturate(r *run) error {
	var a trial.Grow
	if err := r.trial(&a, "grow", "-steps", "0", "-rounds", "36"); err != nil {
		return err
	}
	var growth []float64
	for _, b := range a.Bursts {
		for i, p := range b.Pins {
			if i > 0 && p.New {
				growth = append(growth, float64(max(0, p.First-max(p.Made, b.Pins[i-1].Blocking))))
			}
		}
	}
	r.sample("growth", growth)
	return nil
}

// runsOfOne is the number of equal processes that are compared.
const runsOfOne = 20

// equalRuns records which threads equal processes lock, by their place in the order of creation,
// and in which order new threads first run goroutines.
func equalRuns(r *run) error {
	for range runsOfOne {
		var a trial.Grow
		if err := r.trial(&a, "grow", "-steps", "0", "-rounds", "1", "-n", "6"); err != nil {
			return err
		}
		var byMade, byFirst []int
		for _, b := range a.Bursts {
			place := func(p trial.GrowPin) int { return slices.Index(b.After, p.TID) }
			for _, p := range b.Pins { // in the order they first ran
				byFirst = append(byFirst, place(p))
			}
			pins := slices.Clone(b.Pins)
			slices.SortFunc(pins, func(a, b trial.GrowPin) int { return int(a.Made - b.Made) })
			for _, p := range pins {
				byMade = append(byMade, place(p))
			}
		}
		r.Outcome("tids", fmt.Sprint(byMade))
		r.Outcome("orders", fmt.Sprint(byFirst))
	}
	r.Workloads = []string{fmt.Sprintf("%s, %d times", r.Workloads[0], runsOfOne)}
	return nil
}

// handoff compares each round of locked hand-offs with the unlocked round before it, and its context
// switches with those of the round with one locked goroutine.
func handoff(r *run) error {
	var a trial.Tax
	if err := r.trial(&a, "tax"); err != nil {
		return err
	}
	var ratios, switches []float64
	var free, one int64
	for _, round := range a.Rounds { // none locked, one, both, in turn
		switch round.Locked {
		case 0:
			free = round.Wall
		case 1:
			one = round.Voluntary
		case 2:
			if one > 0 {
				switches = append(switches, float64(round.Voluntary)/float64(one))
			}
			if free > 0 {
				ratios = append(ratios, float64(round.Wall)/float64(free))
			}
		}
	}
	r.Samples["switches_by_one"] = contract.NewSample("ratio", switches)
	r.Samples["tax"] = contract.NewSample("ratio", ratios)
	return nil
}
