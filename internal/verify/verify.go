// Package verify does the experiments that decide the statements of the specification. It starts
// workloads, observes them, and turns their accounts and the kernel's events into
// contract.Evidence. It draws no conclusion; package contract does.
//
// Plan lists the experiments that some statements need, and Run does them in a Lab, which has the
// workloads and the observer. experiments.go lists all of them. Each is a function that fills one
// contract.Record, in the file of its kind:
//
//   - bindings.go, endings.go, loops.go: the rules of a lock, by trials of package workload. A
//     trial is a workload that ends by itself and prints an account.
//   - costs.go: workloads that time themselves.
//   - metrics.go, trace.go: the runtime's metrics, profiles and traces.
//   - inherit.go, memory.go, quota.go, cgo.go: thread attributes, the runtime's memory, cgroups, C.
//   - observations.go, programs.go: kernel events and findings, by observing a workload.
//   - control.go: a C program without Go. source.go: the analyzer. Both have files in sources.
//
// A trial claims the locks that its goroutines hold, and memory.go looks for them in its runtime's
// memory: an experiment whose locks are missing fails. pretend.go makes a program believe in CPUs.
//
// noise.go measures other load during each experiment, because it makes times longer. confine.go
// starts workloads on chosen CPUs.
package verify

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// Plan lists the experiments that the statements need, in the order in which they are done. The parts
// of an experiment are spread over the plan, because a cost drifts.
func Plan(statements []contract.Statement) []string {
	need := map[string]bool{}
	for _, s := range statements {
		for _, name := range s.Experiments() {
			need[name] = true
		}
	}
	var plan, spread []string
	for _, x := range experiments() {
		switch {
		case need[x.name] && x.parts > 1:
			spread = append(spread, x.name)
		case need[x.name]:
			plan = append(plan, x.name)
		}
	}
	for _, name := range spread {
		for i := range find(name).parts {
			plan = slices.Insert(plan, i*(len(plan)+find(name).parts-i)/find(name).parts, name)
		}
	}
	return plan
}

// find returns the experiment of that name.
func find(name string) experiment {
	all := experiments()
	return all[slices.IndexFunc(all, func(x experiment) bool { return x.name == name })]
}

// partsApart is the shortest time between the begins of two parts of an experiment.
const partsApart = 4 * time.Second

// attempts is how often an experiment is done when kernel records are lost, as on a busy machine.
const attempts = 3

// Run does the experiments one after the other, and joins the parts of one. It calls begun at the
// start of each. When ctx ends, Run returns the evidence so far and the error of ctx.
func Run(ctx context.Context, lab *Lab, plan []string, begun func(name string, i int)) (contract.Evidence, error) {
	e := contract.Evidence{GoVersion: lab.GoVersion, Arch: runtime.GOARCH, Experiments: map[string]*contract.Record{}}
	last := map[string]time.Time{} // begin of an experiment's last part
	for i, name := range plan {
		if err := ctx.Err(); err != nil {
			return e, err
		}
		if lab.Emulated && e.Experiments[name] != nil {
			continue // times prove nothing there
		}
		begun(name, i)
		pause(ctx, partsApart-time.Since(last[name]))
		last[name] = time.Now()
		part := contract.Evidence{GoVersion: e.GoVersion, Arch: e.Arch}
		for range attempts {
			part.Experiments = map[string]*contract.Record{name: find(name).record(ctx, lab)}
			if !part.Experiments[name].Lossy || ctx.Err() != nil {
				break
			}
		}
		e.Merge(part)
		if err := ctx.Err(); err != nil {
			delete(e.Experiments, name) // half done
			return e, err
		}
	}
	return e, nil
}

// record does one experiment.
func (x experiment) record(ctx context.Context, lab *Lab) *contract.Record {
	r := &run{Context: ctx, lab: lab, Record: contract.Record{Counts: map[string]int64{},
		Samples: map[string]contract.Sample{}}}
	r.runtimes = map[int]*goruntime.Runtime{}
	noise := startNoise()
	err := x.do(r)
	if err == nil {
		err, r.Unheld = r.unheld, r.unheld != nil
	}
	for _, rt := range r.runtimes {
		rt.Close()
	}
	r.Noise = noise.otherLoad()
	var unable unableError
	switch {
	case errors.As(err, &unable):
		r.Unable = unable.Error()
	case err != nil:
		r.Failed = strings.Join(strings.Fields(err.Error()), " ")
	}
	return &r.Record
}

// run is one experiment while it is done.
type run struct {
	context.Context
	lab       *Lab
	runtimes  map[int]*goruntime.Runtime // opened, by PID
	claimedMs []goruntime.M              // of the last claims; nil = none were checked
	unheld    error                      // the first claims with a lock that was not there; nil = none
	contract.Record
}

func (r *run) add(count string, n int64) { r.Counts[count] += n }

// sample adds values in ns.
func (r *run) sample(name string, ns []float64) { r.Samples[name] = contract.NewSample("ns", ns) }

// unableError is the reason why something cannot be tested on this machine.
type unableError string

func (e unableError) Error() string { return string(e) }
