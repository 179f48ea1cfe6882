package verify

import (
	"fmt"

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

// cgo compares C calls of a goroutine that is locked for every other batch.
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
		name := "long"
		if k.Kind != "long" {
			name = fmt.Sprintf("short_beside_%d", k.Others)
		}
		for i, locked := range k.Locked { // a batch of each, in turn
			switch unlocked := k.Unlocked[i]; {
			case locked.Moved || unlocked.Moved || locked.CPU <= 0:
				r.add(name+"_dropped", 1)
			default:
				ratios[name] = append(ratios[name], unlocked.CPU/locked.CPU)
			}
		}
	}
	for name, v := range ratios {
		r.Samples[name] = contract.NewSample("ratio", v)
	}
	return nil
}

// firstWithC counts the threads that the first LockOSThread of a process with C starts.
func firstWithC(r *run) error {
	program, err := r.withC()
	if err != nil {
		return err
	}
	var a trial.LockCost
	if err := r.trialAs(program, nil, &a, "lockcost", "-n", "1", "-firsts", "12"); err != nil {
		return err
	}
	var started []float64
	for _, f := range a.Firsts {
		started = append(started, float64(f.During-f.Before))
	}
	r.Samples["started"] = contract.NewSample("threads", started)
	return nil
}

// cgoRetake is retake in calls of C.
func cgoRetake(r *run) error {
	program, err := r.withC()
	if err != nil {
		return err
	}
	return r.blocking(program, "cgoretake")
}

// callback samples the threads and the goroutines of calls from C threads into Go.
func callback(r *run) error {
	program, err := r.withC()
	if err != nil {
		return err
	}
	var a trial.Callbacks
	if err := r.trialAs(program, nil, &a, "callbacks"); err != nil {
		return err
	}
	first := map[int]int64{} // goroutine of a thread's first call
	for _, c := range a.Calls {
		if !c.CThread {
			continue
		}
		if goid := first[c.Caller]; goid == 0 {
			first[c.Caller] = c.Stretch.GoID
		} else {
			r.add("later_calls", 1)
			if goid == c.Stretch.GoID {
				r.add("same_goroutine", 1)
			}
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
