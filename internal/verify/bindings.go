package verify

import (
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func migrate(r *run) error {
	var a trial.Migrate
	if err := r.trial(&a, "migrate"); err != nil {
		return err
	}
	for _, s := range a.Stretches {
		kind := "unlocked"
		if s.Locks > 0 {
			kind = "locked"
		}
		r.stretch(s, kind)
		r.add("visits_"+kind, int64(s.Visits))
		r.add("samples_"+kind, int64(s.Checks))
		r.add(kind+"_strange", int64(s.Strange))
	}
	return nil
}

// stretch counts samples and moves as kind_samples and kind_moves.
func (r *run) stretch(s probe.Stretch, kind string) {
	r.add(kind+"_samples", int64(s.Samples))
	r.add(kind+"_moves", int64(s.Moves))
}

func nest(r *run) error {
	var a trial.Nest
	if err := r.trial(&a, "nest"); err != nil {
		return err
	}
	for _, round := range a.Rounds {
		r.add("rounds", 1)
		for _, s := range round.Steps {
			if s.Locks > 0 {
				r.stretch(s, "bound")
				continue
			}
			r.stretch(s, "free")
			if s.Moves > 0 || s.Visits > 0 {
				r.add("freed_rounds", 1)
			}
		}
	}
	return nil
}

func cross(r *run) error {
	var a trial.Cross
	if err := r.trial(&a, "cross"); err != nil {
		return err
	}
	for _, p := range a.Phases {
		for _, s := range []probe.Stretch{p.One, p.Other} {
			kind := "free"
			if s.Locks > 0 {
				kind = "kept"
			}
			r.stretch(s, kind)
		}
	}
	return nil
}

func onmain(r *run) error {
	var a trial.OnMain
	if err := r.trial(&a, "onmain"); err != nil {
		return err
	}
	for _, m := range a.Runs {
		kind := m.Where
		if kind == "nowhere" {
			kind = "free"
		}
		r.stretch(m.Main, kind)
		if kind == "init" && m.Main.TID != m.PID { // on one thread, but not on the main one
			r.add("init_moves", 1)
		}
	}
	return nil
}

func gcpin(r *run) error {
	var a trial.GCPin
	if err := r.trial(&a, "gcpin"); err != nil {
		return err
	}
	for _, round := range a.Rounds {
		if round.Locked {
			r.add("samples", int64(len(round.Cycles))) // collections that lay in the stretch as a whole
			r.add("moves", int64(round.Stretch.Moves))
		} else {
			r.stretch(round.Stretch, "unlocked")
		}
	}
	return nil
}
