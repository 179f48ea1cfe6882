package findings

import (
	"fmt"
	"maps"
	"math"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// throttledPeriods is the part of a quota's periods in which it was used up, from which on its
	// pauses are in one of twenty requests that take a period or less.
	throttledPeriods = 0.05
	// throttledWarn is the part from which on the program is slowed down nearly all the time.
	throttledWarn = 0.25
)

// throttled finds a quota of CPU time that is used up again and again (CPU bandwidth control,
// kernel/sched/fair.c): until its period ends no thread of the cgroup may run, whatever CPUs are
// idle.
func throttled(o *observed) []Finding {
	q := o.Quota
	if q == nil || q.Throttled == 0 || q.Periods == 0 {
		return nil
	}
	share := min(1, float64(q.Throttled)/float64(q.Periods))
	if share < throttledPeriods {
		return nil
	}
	f := Finding{ID: "cpu-throttled", Severity: info,
		Message: fmt.Sprintf("the CPU quota was used up in %d of %d periods (%s): cgroup %s may use %s CPUs (%s in each %s)",
			q.Throttled, q.Periods, unit.ShortPercent(share), q.Group, unit.Short(q.CPUs()),
			unit.ShortDuration(float64(q.Limit)), unit.ShortDuration(float64(q.Period))),
		Evidence: map[string]any{"cgroup": q.Group, "quota_cpus": rounded(q.CPUs()), "quota_ns": int64(q.Limit),
			"period_ns": int64(q.Period), "periods": q.Periods, "throttled_periods": q.Throttled,
			"throttled_period_fraction": rounded(share), "throttled_cpu_ns": int64(q.Time), "gomaxprocs": o.procs(),
			"threads_throttled_ns": nil, "threads_waiting_ns": nil, "lossy": !o.complete},
	}
	if o.GOMAXPROCS > 0 {
		f.Message += fmt.Sprintf(", GOMAXPROCS is %d", o.GOMAXPROCS)
	}
	if o.ThrottlesKnown {
		kept, waited := o.waits()
		f.Message += fmt.Sprintf("; it kept all threads together from running for about %s, "+
			"beside %s of waiting for a CPU", unit.ShortDuration(float64(kept)), unit.ShortDuration(float64(waited)))
		f.Evidence["threads_throttled_ns"], f.Evidence["threads_waiting_ns"] = kept, waited
	}
	f.Advice = "raise the quota (cpu.max, or limits.cpu of the container)"
	if most := o.procsFor(q); o.GOMAXPROCS > most {
		f.Advice += fmt.Sprintf("; or set GOMAXPROCS to %d, which Go 1.25 and later do by themselves: fewer threads use "+
			"the quota up more slowly", most)
	} else {
		f.Advice += "; or do less in bursts: work that is spread over the period is not stopped"
	}
	if share >= throttledWarn {
		f.Severity = warn
	}
	return []Finding{f}
}

// procs is GOMAXPROCS for evidence.
func (o *observed) procs() any {
	if o.GOMAXPROCS == 0 {
		return nil
	}
	return o.GOMAXPROCS
}

// waits returns for how long threads, in sum, were kept from running by the quota, and waited for a
// CPU otherwise.
func (o *observed) waits() (kept, waited int64) {
	for i := range o.Threads {
		kept += o.Threads[i].Throttled
		waited += o.Threads[i].Runq
	}
	return kept, waited
}

// leastProcs is what the runtime sets at least where a quota allows less than that: with one P
// garbage collection and goroutines could not run side by side (adjustCgroupGOMAXPROCS in
// runtime/cgroup_linux.go, Go 1.25).
const leastProcs = 2

// procsFor is the GOMAXPROCS that Go 1.25 and later set for a quota.
func (o *observed) procsFor(q *Quota) int {
	return max(leastProcs, int(math.Ceil(q.CPUs())))
}

// procsWarn is how many times the CPUs that can be used GOMAXPROCS is, from which on most of its
// running threads wait for each other.
const procsWarn = 2

// procsMismatch finds more Ps than CPUs that the program may use. Then goroutines that run, and
// those that hold locks or collect garbage, wait for a CPU where they would wait for a P. The
// runtime reads the number of CPUs when the program starts; Go 1.25 and later also follow a change.
func procsMismatch(o *observed) []Finding {
	if o.GOMAXPROCS <= 0 || o.placedAnew() {
		return nil
	}
	usable, why := o.usable()
	if usable == 0 || o.GOMAXPROCS <= usable {
		return nil
	}
	f := Finding{ID: "gomaxprocs-mismatch", Severity: info,
		Message: fmt.Sprintf("GOMAXPROCS is %d, but the program can use only %s: %s",
			o.GOMAXPROCS, unit.Plural(usable, "CPU"), why),
		Advice: fmt.Sprintf("set GOMAXPROCS to %d; Go 1.25 and later do so by themselves unless it is set in the "+
			"environment or by a call of runtime.GOMAXPROCS", usable),
		Evidence: map[string]any{"gomaxprocs": o.GOMAXPROCS, "usable_cpus": usable, "affinity_cpus": nil, "quota_cpus": nil},
	}
	if n := len(everyCPU(o.Affinity)); n > 0 {
		f.Evidence["affinity_cpus"] = n
	}
	if o.Quota != nil {
		f.Evidence["quota_cpus"] = rounded(o.Quota.CPUs())
	}
	if o.GOMAXPROCS >= procsWarn*usable {
		f.Severity = warn
	}
	return []Finding{f}
}

// usable is how many CPUs the program can use at one time, and what limits it; 0 = not known.
func (o *observed) usable() (cpus int, why string) {
	if all := everyCPU(o.Affinity); len(all) > 0 {
		cpus, why = len(all), "its threads may run on no others (affinity or cpuset)"
	}
	if q := o.Quota; q != nil {
		if n := o.procsFor(q); cpus == 0 || n < cpus {
			cpus, why = n, fmt.Sprintf("the quota of cgroup %s is %s CPUs", q.Group, unit.Short(q.CPUs()))
		}
	}
	return cpus, why
}

// placedAnew reports whether the process may use other CPUs than when the window began: the runtime
// follows a second later.
func (o *observed) placedAnew() bool {
	before := everyCPU(o.AffinityBefore)
	return len(before) > 0 && !maps.Equal(before, everyCPU(o.Affinity))
}

// neverRan reports whether a thread lived through the whole window without running.
func neverRan(t *correlate.Thread) bool {
	return t.StartedAt == 0 && t.ExitedAt == 0 && t.Switches == 0 && t.Run+t.Unknown == 0
}
