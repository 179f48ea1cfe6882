package verify

import (
	"errors"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/contract"
)

// churn observes a process whose goroutines exit while locked. Its parts are of as many processes as
// the interval of their medians needs.
func churn(r *run) error {
	w, err := r.watch(500*time.Millisecond, nil, "churn")
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
	r.add("cloned", r.Samples["clone_syscall"].N)
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
		if c.ID == id && c.Phase == phase && c.Bound == bound &&
			c.Population == (correlate.Population{Locked: locked}) {
			s := contract.NewSample("ns", c.Hist.Values())
			if c.Bias != nil {
				s.Bias = *c.Bias
			}
			r.Samples[name] = r.Samples[name].Join(s)
		}
	}
}
