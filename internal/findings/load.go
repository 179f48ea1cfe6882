package findings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

const (
	// hotPerSecond hand-offs are the least: what happens less often is not worth a redesign, however slow the machine.
	hotPerSecond = 1000.0
	// hotCPU is the part of one CPU that the wakers alone spend; the whole cost of the two extra switches is more. How long the woken
	// threads waited is no measure: other programs on the same CPUs lengthen that.
	hotCPU = 0.02
	// hotWarnCPU is a tenth of a CPU for nothing but passing work from thread to thread.
	hotWarnCPU = 0.10
)

// hotSpots finds pinned goroutines that others wake so often that the hand-offs themselves are load: to a pinned goroutine, each
// is two context switches instead of none (X-handoff; runtime.stoplockedm, startlockedm).
func hotSpots(w *window) (fs []Finding) {
	for _, sum := range w.Handoffs {
		perSecond := w.rate(sum.N)
		cpu := float64(sum.CPUNS) / float64(w.ns)
		if perSecond < hotPerSecond || cpu < hotCPU {
			continue
		}
		if sum.Entry == "" && len(sum.Threads) > 1 {
			continue // who knows how many they are of
		}
		entry := sum.Entry
		wake, waker := float64(sum.WakeNS)/float64(sum.N), float64(sum.CPUNS)/float64(sum.N)
		f := Finding{ID: "pinned-handoff-hot-spot", Severity: info,
			Message: fmt.Sprintf("%s is pinned and its thread was woken for it %s%s times per s on %s: each time %s until its thread runs, and %s or more "+
				"of CPU in the waker, together at least %s of one CPU", goroutineOf(entry), w.atLeast(), digits(perSecond),
				plural(len(sum.Threads), "thread"), duration(wake), duration(waker), percent(cpu)),
			Advice: fmt.Sprintf("each wait of %s for another goroutine (channel, lock, timer) and each preemption costs that: hand it more work at a time (a slice per "+
				"channel operation, or a buffered channel drained in a loop), or unpin what does not depend on the thread", function(entry)),
			Evidence: map[string]any{"threads": len(sum.Threads), "tids": sum.Threads[:min(len(sum.Threads), mostTIDs)], "function": orNil(entry), "handoffs_per_s": rounded(perSecond),
				"wake_mean_ns": rounded(wake), "waker_cpu_mean_ns": rounded(waker), "cpu_min_fraction": rounded(cpu), "lossy": !w.complete},
		}
		if cpu >= hotWarnCPU {
			f.Severity = warn
		}
		fs = append(fs, f)
	}
	slices.SortStableFunc(fs, func(a, b Finding) int { return cmp.Compare(rank(a.Severity), rank(b.Severity)) })
	return fs
}

const (
	// stormWindow: within a second, one garbage collection's burst is no storm, ns.
	stormWindow = 1e9
	// stormPerProc signals per second and P are twice what the scheduler sends at most to programs that only compute: one per
	// 10 ms time slice (forcePreemptNS in runtime/proc.go).
	stormPerProc = 200.0
	// stormWarnCPU is the part of one CPU that sending and handling take.
	stormWarnCPU = 0.05
)

// stormAdvice says what to change, by cause.
var stormAdvice = map[string]string{
	"gc_stack_scan": "the garbage collector runs too often: allocate less there, or raise GOGC or GOMEMLIMIT",
	"stop_the_world": "do less often what stops the world: runtime.GC, runtime.ReadMemStats, GOMAXPROCS, profiles and goroutine dumps; " +
		"for statistics, runtime/metrics does without",
	"for_each_p": "the garbage collector runs too often: allocate less there, or raise GOGC or GOMEMLIMIT",
	"sysmon_retake": "the goroutines that compute do not yield and are told so again and again: " +
		"look for long loops where preemption is not possible (assembly, C)",
	"foreign": "another process sends these signals: find it with trace-cmd or bpftrace on signal:signal_generate, sig 23",
}

// storm finds SIGURG in such numbers that it is load, whoever sends it (P-5).
func storm(w *window) []Finding {
	perSecond := w.rate(w.Counts.SigurgGenerated)
	if w.GOMAXPROCS <= 0 || w.ns < stormWindow || perSecond < stormPerProc*float64(w.GOMAXPROCS) {
		return nil
	}
	cause, who, share := w.stormCause()
	f := Finding{ID: "sigurg-storm", Severity: info,
		Message: fmt.Sprintf("%s%s SIGURG per s were raised for the program's threads, %g per s and more for each of GOMAXPROCS %d",
			w.atLeast(), digits(perSecond), stormPerProc, w.GOMAXPROCS),
		Advice: cmp.Or(stormAdvice[cause], "see why they are sent under causes, with --verbose"),
		Evidence: map[string]any{"sigurg_per_s": rounded(perSecond), "gomaxprocs": w.GOMAXPROCS, "cause": orNil(cause),
			"cause_fraction": nil, "function": orNil(who), "cpu_fraction": nil, "lossy": !w.complete},
	}
	if cause != "" {
		f.Message += fmt.Sprintf("; %s of them for %s", percent(share), cause)
		f.Evidence["cause_fraction"] = rounded(share)
	}
	if who != "" {
		f.Message += " in " + shorten(who)
	}
	send, sent := w.cpu("P-5", "send", "")
	handler, handled := w.cpu("P-5", "handler", "")
	if sent && handled && w.Counts.SigurgSent != nil {
		cpu := (w.rate(*w.Counts.SigurgSent)*send + w.rate(w.Counts.SigurgDelivered)*handler) / 1e9
		f.Message += fmt.Sprintf("; sending and handling take %s of one CPU", percent(cpu))
		f.Evidence["cpu_fraction"] = rounded(cpu)
		if cpu >= stormWarnCPU {
			f.Severity = warn
		}
	}
	return []Finding{f}
}

// stormCause is the cause of more than half of the signals, its share, and the function of the program's that most of these
// came from; "" where there is none such or it is not known.
func (w *window) stormCause() (cause, function string, share float64) {
	n := map[string]uint64{"foreign": w.Counts.SigurgForeign}
	for _, c := range w.Causes {
		if c.What == "preempt" {
			n[c.Cause] += c.N
		}
	}
	for _, word := range slices.Sorted(maps.Keys(n)) {
		if k := n[word]; word != "unknown" && word != "other" && 2*k > w.Counts.SigurgGenerated {
			cause, share = word, min(1, float64(k)/float64(w.Counts.SigurgGenerated))
		}
	}
	for _, c := range w.Causes {
		if c.What == "preempt" && c.Cause == cause && 2*c.N > n[cause] {
			function = c.Function
		}
	}
	return cause, function, share
}
