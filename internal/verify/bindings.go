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

// lend counts the turns of a coroutine that were on the thread of the locked goroutine that resumes
// it.
func lend(r *run) error {
	var a trial.Lend
	if err := r.trial(&a, "lend"); err != nil {
		return err
	}
	if a.Missing {
		return unableError("iter.Pull came with Go 1.23; this is " + a.GoVersion)
	}
	for _, turn := range a.Turns {
		r.add("turns", 1)
		if turn.TID == a.TID && turn.GoID != a.GoID {
			r.add("turns_on_locked", 1)
		}
	}
	return nil
}

// allThreads, setGroup and byTID count the calls of other goroutines that changed a locked thread's
// state.
func allThreads(r *run) error { return r.elsewhere("allthreads") }

func setGroup(r *run) error { return r.elsewhere("setgid") }

func byTID(r *run) error { return r.elsewhere("tid") }

func (r *run) elsewhere(how string) error {
	var a trial.Elsewhere
	if err := r.trial(&a, "elsewhere", "-how", how); err != nil {
		return err
	}
	switch {
	case a.Missing:
		return unableError(how + " does not reach all threads in " + a.GoVersion)
	case a.Refused != "":
		return unableError(how + " is refused here: " + a.Refused)
	}
	for _, c := range a.Calls {
		if c.Caller == c.TID {
			continue
		}
		r.add("calls", 1)
		if c.After != c.Before {
			r.add("changed", 1)
		}
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
		r.add("init_unlocked_samples", int64(m.Init.Samples))
		r.add("init_unlocked_freed", int64(m.Init.Moves+m.Init.Visits))
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
