package findings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// SurplusWindow is how long a thread must have done nothing to be a surplus at the program's
	// present load.
	SurplusWindow = 10 * time.Second
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
// needed threads are the unlocked ones of the runtime that ran in the window or that a goroutine
// holds at its end, but at least GOMAXPROCS. The others are left from a burst.
func surplus(o *observed) []Finding {
	if o.GOMAXPROCS <= 0 || o.ns < int64(SurplusWindow) || !o.complete || o.Held == nil {
		return nil
	}
	workers, awake := int(o.Sleepers.Workers), 0
	unlisted := workers // of the sleepers, those of which is not known what holds them
	notKnown := unit.Held{}.String()
	asleep := map[string]int{} // threads that slept all the time, by what holds them
	listed := make(map[int32]bool, len(o.Threads))
	for i := range o.Threads {
		t := &o.Threads[i]
		listed[t.TID] = true
		if t.Role != "worker" && t.Role != "main" || t.Lock.State != "none" || t.ExitedAt != 0 {
			continue
		}
		workers++
		if h := o.Held[t.TID]; !o.slept(t) {
			awake++
		} else if !h.Idle {
			asleep[cmp.Or(h.Words, notKnown)]++
		}
	}
	for tid, h := range o.Held {
		if h.Worker && !listed[tid] {
			unlisted--
			if !h.Idle {
				asleep[h.Words]++
			}
		}
	}
	if unlisted > 0 {
		asleep[notKnown] += unlisted
	}
	held := 0
	for _, n := range asleep {
		held += n
	}
	needed := max(awake+held, o.GOMAXPROCS)
	extra := workers - needed
	if extra <= max(surplusThreads, surplusPerProc*o.GOMAXPROCS) {
		return nil
	}
	holders := largest(asleep)
	inUse := ""
	if held > 0 {
		inUse = fmt.Sprintf(", goroutines hold %d more that slept (%s)", held, strings.Join(holders, "; "))
	}
	f := Finding{ID: "thread-surplus", Severity: info,
		Message: fmt.Sprintf("%d of %d threads are more than the program needed: it ran on %d in these %s "+
			"(GOMAXPROCS %d)%s, and %d unlocked ones were idle all the time",
			extra, o.Counts.Threads, awake, unit.ShortDuration(float64(o.ns)), o.GOMAXPROCS, inUse, workers-awake-held),
		Advice: "limit how many goroutines are in blocking system calls, in C or pinned at once (a semaphore, a pool of " +
			"workers): each needs a thread then, and the runtime keeps idle threads for ever; while the number grows, " +
			"the section causes shows why threads are created",
		Evidence: map[string]any{"threads": o.Counts.Threads, "surplus_threads": extra, "workers": workers,
			"workers_awake": awake, "workers_held": held, "held_by": holders, "workers_needed": needed,
			"gomaxprocs": o.GOMAXPROCS, "locked_threads": nil, "window_s": rounded(o.seconds)},
	}
	if o.Counts.LockedThreads != nil {
		f.Evidence["locked_threads"] = *o.Counts.LockedThreads
	}
	if o.Counts.Threads >= surplusWarn {
		f.Severity = warn
	}
	return []Finding{f}
}

// largest lists the PerKind largest groups: "2,993 × main.work in read(2)".
func largest(groups map[string]int) []string {
	names := slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(groups[b], groups[a]), cmp.Compare(a, b))
	})
	words := []string{}
	for _, name := range names[:min(len(names), PerKind)] {
		words = append(words, unit.Count(groups[name])+" × "+name)
	}
	return words
}
