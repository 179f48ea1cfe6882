package verify

import (
	"reflect"
	"slices"

	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// memoryNodes moves locked goroutines to the CPUs of every memory node, and reads where memory comes
// from that they use there.
func memoryNodes(r *run) error {
	var a trial.Inherit
	if err := r.trial(&a, "inherit", "-n", "6", "-samples", "1", "-children", "1"); err != nil {
		return err
	}
	nodes := map[int]bool{}
	for _, k := range a.Kept {
		for _, p := range k.Pushed {
			nodes[p.Node] = true
			r.add("pages", 1)
			if p.Node == p.Page {
				r.add("local_pages", 1)
			}
		}
	}
	if nodes[-1] {
		return unableError("the memory node of a CPU can't be read")
	}
	if len(nodes) < 2 {
		return unableError("the workload's CPUs are of one memory node")
	}
	return nil
}

// inherits is how often inherit tries to see a thread on another CPU. By runs of one host, a try sees
// none to hundreds of changes.
const inherits = 4

// inherit compares the state of threads before and after a lock, until the kernel has moved one.
func inherit(r *run) error {
	for range inherits {
		if err := r.inherit(); err != nil || r.Counts["cpu_changes"] > 0 {
			return err
		}
	}
	return nil
}

func (r *run) inherit() error {
	var a trial.Inherit
	if err := r.trial(&a, "inherit", "-n", "8"); err != nil {
		return err
	}
	for _, k := range a.Kept {
		if !k.Locked {
			continue
		}
		if k.Before.Error != "" || k.After.Error != "" {
			return unableError("the state of a thread cannot be read: " + k.Before.Error + k.After.Error)
		}
		r.add("locks", 1)
		for name, same := range map[string]bool{
			"affinity_same":  slices.Equal(k.Before.CPUs, k.After.CPUs),
			"nice_same":      reflect.DeepEqual(k.Before.Nice, k.After.Nice),
			"policy_same":    reflect.DeepEqual(k.Before.Policy, k.After.Policy),
			"mempolicy_same": reflect.DeepEqual(k.Before.Memory, k.After.Memory),
		} {
			if same {
				r.add(name, 1)
			}
		}
		if len(k.Before.CPUs) < 2 {
			r.Notes = []string{"the workload may use one CPU only, so it cannot change CPUs"}
			continue
		}
		r.add("cpu_samples", int64(k.Samples))
		r.add("cpu_changes", int64(k.Moves))
	}
	return nil
}
