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
//   - source.go: the analyzer, on source files in the folder sources.
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

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// Plan lists the experiments that the statements need, in the order in which they are done.
func Plan(statements []contract.Statement) []string {
	need := map[string]bool{}
	for _, s := range statements {
		for _, name := range s.Experiments() {
			need[name] = true
		}
	}
	var plan []string
	for _, x := range experiments() {
		if need[x.name] {
			plan = append(plan, x.name)
		}
	}
	return plan
}

// attempts is how often an experiment is done when kernel records are lost, as on a busy machine.
const attempts = 3

// Run does the experiments one after the other. It calls begun at the start of each. When ctx ends,
// Run returns the evidence so far and the error of ctx.
func Run(ctx context.Context, lab *Lab, plan []string, begun func(name string, i int)) (contract.Evidence, error) {
	e := contract.Evidence{GoVersion: lab.GoVersion, Arch: runtime.GOARCH, Experiments: map[string]*contract.Record{}}
	all := experiments()
	for i, name := range plan {
		if err := ctx.Err(); err != nil {
			return e, err
		}
		begun(name, i)
		x := all[slices.IndexFunc(all, func(x experiment) bool { return x.name == name })]
		for range attempts {
			e.Experiments[name] = x.record(ctx, lab)
			if !e.Experiments[name].Lossy || ctx.Err() != nil {
				break
			}
		}
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
	noise := startNoise()
	err := x.do(r)
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
	claimedMs []goruntime.M // of the last claims; nil = none were checked
	contract.Record
}

func (r *run) add(count string, n int64) { r.Counts[count] += n }

// sample adds values in ns.
func (r *run) sample(name string, ns []float64) { r.Samples[name] = contract.NewSample("ns", ns) }

// unableError is the reason why something cannot be tested on this machine.
type unableError string

func (e unableError) Error() string { return string(e) }
