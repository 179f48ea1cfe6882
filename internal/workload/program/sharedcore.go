package program

import (
	"errors"
	"flag"
	"runtime"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// sharedcore has a locked goroutine that confined its thread to one CPU work there, while other
// goroutines keep every other thread of the runtime busy, on that CPU too.
func sharedcore(flags *flag.FlagSet) func(*Workload) error {
	apart := flags.Bool("apart", false, "keep all other threads away from that CPU")
	return func(w *Workload) error {
		allowed, err := probe.Affinity()
		if err != nil {
			return err
		}
		cpus := allowed.List()
		if len(cpus) < 2 {
			return errors.New("it takes two CPUs to share one or not, and this process may use one only")
		}
		cpu := cpus[len(cpus)-1]
		others := allowed.Without(cpu)

		pinned := w.spinner(5*time.Millisecond, 5*time.Millisecond, nil)
		if err := probe.SetAffinity(pinned.TID, probe.OneCPU(cpu)); err != nil {
			return err
		}
		pinned.CPUs = []int{cpu}
		for i := 0; i < runtime.GOMAXPROCS(0); i++ {
			w.busy()
		}
		if !*apart {
			return nil
		}
		if err := keepApart(pinned.TID, others); err != nil {
			return err
		}
		w.Run(func() {
			for w.Pause(5 * time.Millisecond) { // for threads made since
				_ = keepApart(pinned.TID, others) // it has worked before; a thread that left meanwhile needs nothing
			}
		})
		return nil
	}
}

// keepApart confines every thread of this process but one.
func keepApart(except int, cpus *probe.CPUSet) error {
	tids, err := probe.TaskIDs()
	if err != nil {
		return err
	}
	for _, tid := range tids {
		if tid == except {
			continue
		}
		if err := probe.SetAffinity(tid, cpus); err != nil && probe.TaskAlive(tid) {
			return err
		}
	}
	return nil
}
