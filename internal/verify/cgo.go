package verify

import (
	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// withC returns the command line of the workload that is linked with C. It needs a Go toolchain and
// a C compiler.
func (r *run) withC() ([]string, error) {
	program, err := r.lab.Cgo(r)
	if err != nil {
		return nil, unableError("the workload with C can't be built: " + err.Error())
	}
	return program, nil
}

// cgo compares C calls of locked goroutines and others, and records which goroutines run while one
// is in C.
func cgo(r *run) error {
	program, err := r.withC()
	if err != nil {
		return err
	}
	var calls trial.CCalls
	if err := r.trialAs(program, nil, &calls, "cgocalls"); err != nil {
		return err
	}
	ratios := map[string][]float64{}
	for _, k := range calls.Kinds {
		name := "short_ratio"
		if k.Kind == "long" {
			name = "long_ratio"
		}
		for i, locked := range k.Locked { // a batch of each, in turn
			if i < len(k.Unlocked) && sound(locked) && sound(k.Unlocked[i]) {
				ratios[name] = append(ratios[name], k.Unlocked[i].CPU/locked.CPU)
			}
		}
	}
	for name, v := range ratios {
		r.Samples[name] = contract.NewSample("ratio", v)
	}
	var blocking trial.Retake
	if err := r.trialAs(program, nil, &blocking, "cgoretake", "-n", "12", "-block", "50ms"); err != nil {
		return err
	}
	for _, round := range blocking.Rounds {
		if round.Locked {
			r.call(round, "long")
		}
	}
	return nil
}

// sound is false for a batch in which the goroutine changed threads: its CPU time is that of two
// threads.
func sound(c trial.Cost) bool { return c.CPU > 0 && c.CPU <= 1.05*c.Wall }

// callback samples the threads of calls from C threads into Go.
func callback(r *run) error {
	program, err := r.withC()
	if err != nil {
		return err
	}
	var a trial.Callbacks
	if err := r.trialAs(program, nil, &a, "callbacks"); err != nil {
		return err
	}
	for _, c := range a.Calls {
		if !c.CThread {
			continue
		}
		r.add("samples", int64(c.Stretch.Samples))
		r.add("moves", int64(c.Stretch.Moves))
		r.add("visits", int64(c.Stretch.Visits))
		if c.Stretch.TID != c.TID {
			r.add("moves", 1)
		}
	}
	return nil
}
