package findings

import (
	"fmt"

	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// surplusWindow is how long a thread must have done nothing to be a surplus at the program's
	// present load, ns.
	surplusWindow = 10e9
	// surplusThreads more than needed are the least, and surplusPerProc for each P: where
	// goroutines make blocking calls, a second thread per P is normal, and a few more are after
	// every burst.
	surplusThreads = 8
	surplusPerProc = 2
	// surplusWarn threads in all are half of the 10,000 at which the runtime ends the program
	// (sched.maxmcount in runtime/proc.go).
	surplusWarn = 5000
)

// surplus finds more threads than the program's work needs. A healthy Go program has, beside
// sysmon, the template thread, threads of C code and one per pinned goroutine, a thread for each of
// GOMAXPROCS Ps and one for each goroutine in a system call or in C. The runtime ends no thread
// that it made (but for exit while locked), so the number is that of the worst moment so far. The
// needed threads are the unlocked ones of the runtime that ran in the window, but at least
// GOMAXPROCS. The others slept: they are left from a burst, or in calls longer than the window,
// which cannot be distinguished here.
func surplus(o *observed) []Finding {
	if o.GOMAXPROCS <= 0 || o.ns < surplusWindow || !o.complete {
		return nil
	}
	workers, awake := int(o.Sleepers.Workers), 0
	for i := range o.Threads {
		t := &o.Threads[i]
		if t.Role != "worker" && t.Role != "main" || t.Lock.State != "none" || t.ExitedAt != 0 {
			continue
		}
		workers++
		if !o.slept(t) {
			awake++
		}
	}
	needed := max(awake, o.GOMAXPROCS)
	extra := workers - needed
	if extra <= max(surplusThreads, surplusPerProc*o.GOMAXPROCS) {
		return nil
	}
	f := Finding{ID: "thread-surplus", Severity: info,
		Message: fmt.Sprintf("%d of %d threads are more than the program needed: it ran on %d in these %s (GOMAXPROCS %d), "+
			"and %d unlocked ones slept all the time",
			extra, o.Counts.Threads, awake, unit.ShortDuration(float64(o.ns)), o.GOMAXPROCS, workers-awake),
		Advice: "limit how many goroutines are in blocking system calls, in C or pinned at once (a semaphore, a pool of " +
			"workers): each needs a thread then, and the runtime keeps idle threads for ever; while the number grows, " +
			"the section causes shows why threads are created",
		Evidence: map[string]any{"threads": o.Counts.Threads, "surplus_threads": extra, "workers": workers,
			"workers_awake": awake, "workers_needed": needed, "gomaxprocs": o.GOMAXPROCS, "locked_threads": nil,
			"window_s": rounded(o.seconds)},
	}
	if o.Counts.LockedThreads != nil {
		f.Evidence["locked_threads"] = *o.Counts.LockedThreads
	}
	if o.Counts.Threads >= surplusWarn {
		f.Severity = warn
	}
	return []Finding{f}
}
