package findings

import "fmt"

const (
	// surplusWindow: a thread that did nothing for so long is not needed at the pace the program has, ns.
	surplusWindow = 10e9
	// surplusThreads above what is needed are the least, and surplusPerProc for each P: where goroutines make blocking calls, a second
	// thread per P is normal, and a few more are after every burst.
	surplusThreads = 8
	surplusPerProc = 2
	// surplusWarn threads in all are half of the 10,000 at which the runtime kills the program (sched.maxmcount in runtime/proc.go).
	surplusWarn = 5000
)

// surplus finds more threads than the program's work accounts for. A healthy Go program has, beside sysmon, the template thread,
// threads of C code and one per pinned goroutine, a thread for each of GOMAXPROCS Ps and one for each goroutine in a system call
// or in C. The runtime never ends a thread it once made (but for exit while locked), so the number is that of the worst moment so
// far. Needed are, of the threads that are nobody's own, those that ran in the window, or GOMAXPROCS where that is more; what slept
// all along beyond that is left from a burst, or in calls longer than the window, which look the same from here.
func surplus(w *window) []Finding {
	if w.GOMAXPROCS <= 0 || w.ns < surplusWindow || !w.complete {
		return nil
	}
	workers, awake := 0, 0
	for i := range w.Threads {
		t := &w.Threads[i]
		if t.Role != "worker" && t.Role != "main" || t.Lock.State != "none" || t.ExitedAt != 0 {
			continue
		}
		workers++
		if !w.slept(t) {
			awake++
		}
	}
	needed := max(awake, w.GOMAXPROCS)
	extra := workers - needed
	if extra <= max(surplusThreads, surplusPerProc*w.GOMAXPROCS) {
		return nil
	}
	f := Finding{ID: "thread-surplus", Severity: info,
		Message: fmt.Sprintf("%d of %d threads are more than the program needed: it ran on %d in these %s (GOMAXPROCS %d), "+
			"and %d slept all along without being locked",
			extra, w.Counts.Threads, awake, duration(float64(w.ns)), w.GOMAXPROCS, workers-awake),
		Advice: "limit how many goroutines are in blocking system calls, in C or pinned at once (a semaphore, a pool of workers): each needs " +
			"a thread then, and the runtime keeps idle threads for ever; see why threads are created under causes while it grows",
		Evidence: map[string]any{"threads": w.Counts.Threads, "surplus_threads": extra, "workers": workers, "workers_awake": awake,
			"workers_needed": needed, "gomaxprocs": w.GOMAXPROCS, "locked_threads": nil, "window_s": rounded(w.seconds)},
	}
	if w.Counts.LockedThreads != nil {
		f.Evidence["locked_threads"] = *w.Counts.LockedThreads
	}
	if w.Counts.Threads >= surplusWarn {
		f.Severity = warn
	}
	return []Finding{f}
}
