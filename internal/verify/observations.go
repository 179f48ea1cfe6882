package verify

import (
	"errors"
	"fmt"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/contract"
)

// observations are the experiments that the kernel's events decide.
func observations() []experiment {
	return []experiment{{"churn", churn}, {"storm", storm}, {"programs", programs}, {"source", source}}
}

// churn observes as many processes as their medians need for an interval. Where times say nothing one is enough.
func churn(r *run) error {
	const work = 3 * time.Second
	processes := contract.MinSamples
	if r.lab.Emulated {
		processes = 1
	}
	for range processes {
		w, err := r.watch(work/time.Duration(processes), nil, "churn")
		if err != nil {
			return err
		}
		c := w.Result.Counts
		r.add("locked_exits", int64(w.account.LockedExits))
		if c.ThreadsExitedLocked != nil {
			r.add("kernel_locked_exits", int64(*c.ThreadsExitedLocked))
		}
		r.add("created", int64(c.ThreadsCreated))
		r.cost(w, "clone_syscall", "P-8", "clone_syscall", "", "")
		r.cost(w, "exit", "P-9", "exit", "", "")
	}
	r.add("cloned", r.Samples["clone_syscall"].N)
	r.Workloads = []string{fmt.Sprintf("%s, %d times", r.Workloads[0], processes)}
	return nil
}

func storm(r *run) error {
	w, err := r.watch(3*time.Second, nil, "spinners", "-n", "1", "-gc", "5ms")
	if err != nil {
		return err
	}
	c := w.Result.Counts
	r.add("collections", int64(w.account.ForcedGC))
	if c.SigurgSent == nil {
		return errors.New("the observation does not count tgkill")
	}
	r.add("sigurg_sent", int64(*c.SigurgSent))
	r.add("sigurg_by_tgkill", int64(*c.SigurgSent))
	r.add("sigurg_delivered_own", int64(c.SigurgGenerated-c.SigurgForeign))
	r.cost(w, "deliver_locked", "P-5", "deliver", "true", "")
	r.add("sigurg_locked", r.Samples["deliver_locked"].N)
	r.cost(w, "preempt_lower", "P-5", "kernel", "true", "lower")
	r.cost(w, "preempt_upper", "P-5", "kernel", "true", "upper")
	return nil
}

// cost adds a row of the observation's costs to a sample.
func (r *run) cost(w *watched, name, id, phase, locked, bound string) {
	for i := range w.Result.Costs {
		c := &w.Result.Costs[i]
		if c.ID == id && c.Phase == phase && c.Bound == bound && c.Population == (correlate.Population{Locked: locked}) {
			s := contract.NewSample("ns", c.Hist.Values())
			if c.Bias != nil {
				s.Bias = *c.Bias
			}
			r.Samples[name] = r.Samples[name].Join(s)
		}
	}
}
