package findings

import (
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// sharedWait is the part of the window that a thread must have waited for a CPU.
	sharedWait = 0.01
	// sharedShare is the same as a part of the time it was ready to run.
	sharedShare = 0.05
	// sharedMeanWait is the least mean wait per turn, ns. A wake-up takes some 10 µs on any CPU.
	sharedMeanWait = 50e3
	// sharedWarn is the part of the time it was ready from which on having a CPU of its own is
	// lost.
	sharedWarn = 0.20
)

// sharedCores finds locked threads that were restricted to CPUs and share them: LockOSThread sets
// no affinity (N-1), and affinity reserves nothing.
func sharedCores(o *observed) (fs []Finding) {
	all := everyCPU(o.Affinity)
	for i := range o.Threads {
		t := &o.Threads[i]
		cpus := o.Affinity[t.TID]
		if t.Lock.State != "user" || t.ExitedAt != 0 || len(cpus) == 0 || len(cpus) >= len(all) || t.Switches == 0 {
			continue
		}
		share := float64(t.Runq) / float64(max(t.Run+t.Runq, 1))
		if float64(t.Runq) < sharedWait*float64(o.ns) || share < sharedShare ||
			float64(t.Runq)/float64(t.Switches) < sharedMeanWait {
			continue
		}
		rivals, busiest, run := o.rivals(t, cpus)
		if run < t.Runq { // they can't be why it waited
			continue
		}
		f := Finding{ID: "pinned-thread-shares-core", Severity: info,
			Message: fmt.Sprintf("thread %d of %s may run on CPU %s only, where %s of the program ran too (most of all tid %d, "+
				"%s): it waited %s for a CPU, %s of the time it was ready", t.TID, goroutineOf(t.Lock.Entry), unit.CPUs(cpus),
				unit.Plural(rivals, "other thread"), busiest.TID, busiest.Role, unit.ShortDuration(float64(t.Runq)),
				unit.ShortPercent(share)),
			Advice: fmt.Sprintf("keep the rest of the program off CPU %s: start it with taskset or a cpuset without that CPU "+
				"and extend only this thread's affinity to it (sched_setaffinity right after LockOSThread in %s), and set "+
				"GOMAXPROCS to the number of the other CPUs", unit.CPUs(cpus), function(t.Lock.Entry)),
			Evidence: map[string]any{"tid": t.TID, "function": orNil(t.Lock.Entry), "cpus": slices.Clone(cpus),
				"other_threads": rivals, "busiest_other_tid": busiest.TID, "busiest_other_role": orNil(busiest.Role),
				"runq_ns": t.Runq, "waiting_when_ready_fraction": rounded(share), "lossy": !o.complete},
		}
		if share >= sharedWarn {
			f.Severity = warn
		}
		fs = append(fs, f)
	}
	return fs
}

// everyCPU returns the CPUs that any thread may run on. A thread with fewer was restricted on
// purpose; a process that is confined as a whole has no such thread.
func everyCPU(affinity map[int32][]int) map[int]bool {
	all := map[int]bool{}
	for _, cpus := range affinity {
		for _, cpu := range cpus {
			all[cpu] = true
		}
	}
	return all
}

// rivals returns the other threads that ran on any of these CPUs: how many, the busiest, and the
// time they ran in sum, there or elsewhere.
func (o *observed) rivals(t *correlate.Thread, cpus []int) (n int, busiest *correlate.Thread, run int64) {
	for i := range o.Threads {
		other := &o.Threads[i]
		if other.TID == t.TID || !slices.ContainsFunc(other.CPUs, func(cpu int) bool { return slices.Contains(cpus, cpu) }) {
			continue
		}
		n++
		run += other.Run
		if busiest == nil || other.Run > busiest.Run {
			busiest = other
		}
	}
	return n, busiest, run
}
