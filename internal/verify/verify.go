// Package verify does the experiments that the statements of the specification are decided by: it starts workloads, has them observed
// and turns what they and the kernel say into contract.Evidence. It draws no conclusion; package contract does.
package verify

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// experiment brings one record of evidence.
type experiment struct {
	name string
	do   func(*run) error
}

// experiments in the order they are done: the quick ones that need nothing first, those of the kernel together.
func experiments() []experiment {
	return slices.Concat(bindings(), endings(), loops(), costs(), metrics(), others(), observations())
}

// Plan lists the experiments that the statements need, in the order they are done.
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

// attempts is how often an experiment is done when kernel records get lost, as they do on a machine that is busy with something else.
const attempts = 3

// Run does the experiments one after the other. begun is told of each as it begins. When ctx ends, what is there by then is returned with
// its error.
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
	r := &run{Context: ctx, lab: lab, Record: contract.Record{Counts: map[string]int64{}, Samples: map[string]contract.Sample{}}}
	noise := startNoise()
	err := x.do(r)
	r.Noise = noise.others()
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
	lab *Lab
	contract.Record
}

func (r *run) add(count string, n int64) { r.Counts[count] += n }

// sample adds values in ns.
func (r *run) sample(name string, ns []float64) { r.Samples[name] = contract.NewSample("ns", ns) }

// unableError is why something can't be tested on this machine.
type unableError string

func (e unableError) Error() string { return string(e) }
