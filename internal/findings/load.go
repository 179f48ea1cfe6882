package findings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// hotCount hand-offs in the window are the least that a cost is estimated from.
	hotCount = 100
	// hotCPU is the part of one CPU that they must take. The wait of the woken threads is no measure:
	// other programs on the same CPUs lengthen it.
	hotCPU = 0.02
)

// hotSpots finds pinned goroutines that are woken so often that the hand-offs themselves are load:
// to a pinned goroutine, each is two context switches instead of none (X-handoff;
// runtime.stoplockedm, startlockedm).
func hotSpots(o *observed) (fs []Finding) {
	for i := range o.Handoffs {
		h := &o.Handoffs[i]
		if h.N < hotCount || h.Entry == "" && len(h.Threads) > 1 { // of how many functions is not known
			continue
		}
		cost := o.handoffCost(h)
		if cost.CPU < hotCPU {
			continue
		}
		entry, perSecond, n := h.Entry, o.rate(h.N), float64(h.N)
		f := Finding{ID: "pinned-handoff-hot-spot", Severity: cost.severity(), Cost: cost,
			Message: fmt.Sprintf("%s is pinned and was woken %s%s times per s on %s: that costs %s",
				goroutineOf(entry), o.atLeast(), unit.Short(perSecond), unit.Plural(len(h.Threads), "thread"), cost.words()),
			Advice: fmt.Sprintf("each wait of %s for another goroutine (channel, lock, timer) and each preemption costs that: "+
				"give it more work at a time (a slice per channel operation, or a buffered channel drained in a loop), "+
				"or unpin the code that does not depend on the thread", function(entry)),
			Evidence: map[string]any{"threads": len(h.Threads), "tids": h.Threads[:min(len(h.Threads), mostTIDs)],
				"function": orNil(entry), "handoffs_per_s": rounded(perSecond), "wake_mean_ns": rounded(float64(h.WakeNS) / n),
				"wake_typical_ns": nil, "wake_tail_ns": nil, "waker_cpu_mean_ns": rounded(float64(h.CPUNS) / n),
				"relays_per_s": rounded(o.rate(uint64(h.Relays.N()))), "cpu_each_ns": rounded(cost.CPU * float64(o.ns) / n),
				"cpu_min_fraction": rounded(float64(h.CPUNS) / float64(o.ns)), "lossy": !o.complete},
		}
		if uint64(h.Wake.N()) == h.N {
			typical, tail := h.Wake.Quantile(0.5), h.Wake.Quantile(0.99)
			f.Message += fmt.Sprintf(". Its thread runs %s after it is woken, typically, and 1 time in 100 later than %s",
				unit.ShortDuration(float64(typical)), unit.ShortDuration(float64(tail)))
			f.Evidence["wake_typical_ns"], f.Evidence["wake_tail_ns"] = typical, tail
		}
		fs = append(fs, f)
	}
	slices.SortStableFunc(fs, func(a, b Finding) int { return cmp.Compare(b.cpu(), a.cpu()) })
	return fs
}

const (
	// stormWindow: within a second, one garbage collection's burst is no storm, ns.
	stormWindow = 1e9
	// stormPerProc signals per second and P are twice the most that the scheduler sends to programs
	// that only compute: one per 10 ms time slice (forcePreemptNS in runtime/proc.go).
	stormPerProc = 200.0
)

// collection is a cause that sums up those of the garbage collector.
const collection = "garbage_collection"

// ofCollector reports whether signals were sent for the garbage collector.
func ofCollector(c *correlate.Cause) bool {
	return c.Cause == "gc_stack_scan" || c.Cause == "gc_worker" || c.Cause == "for_each_p" ||
		c.Cause == "stop_the_world" && strings.HasPrefix(c.Reason, "GC ")
}

const collectLess = "the garbage collector runs too often: allocate less there, or raise GOGC or GOMEMLIMIT"

// stormAdvice is the advice by cause.
var stormAdvice = map[string]string{
	"gc_stack_scan": collectLess,
	collection:      collectLess,
	"stop_the_world": "stop the world less often: runtime.GC, runtime.ReadMemStats, GOMAXPROCS, profiles and goroutine " +
		"dumps do; for statistics, runtime/metrics does not",
	"for_each_p": collectLess,
	"sysmon_retake": "goroutines that compute do not yield, and are signalled again and again: " +
		"search for long loops that can't be preempted (assembly, C)",
	"foreign": "another process sends these signals: find it with trace-cmd or bpftrace on signal:signal_generate, sig 23",
}

// stormWords follow "of them".
var stormWords = map[string]string{
	"gc_stack_scan":  "for the garbage collector to read stacks",
	"stop_the_world": "to stop all goroutines",
	"for_each_p":     "for a step of the garbage collector on every P",
	"sysmon_retake":  "to goroutines that had run for 10 ms",
	collection:       "for the garbage collector",
	"foreign":        "from another process or the kernel",
}

// storm finds SIGURG in such numbers that it is load, from any sender (P-5).
func storm(o *observed) []Finding {
	perSecond := o.rate(o.Counts.SigurgGenerated)
	if o.GOMAXPROCS <= 0 || o.ns < stormWindow || perSecond < stormPerProc*float64(o.GOMAXPROCS) {
		return nil
	}
	cause, sender, share := o.stormCause()
	f := Finding{ID: "sigurg-storm", Severity: info,
		Message: fmt.Sprintf("%s%s SIGURG per s were generated for the program's threads, "+
			"%g per s or more for each of GOMAXPROCS %d",
			o.atLeast(), unit.Short(perSecond), stormPerProc, o.GOMAXPROCS),
		Advice: cmp.Or(stormAdvice[cause], "the line \"preempted\" has the reasons (\"why SIGURG\" with -v); "+
			"what is not there the program has sent to itself, as by kill(2)"),
		Evidence: map[string]any{"sigurg_per_s": rounded(perSecond), "gomaxprocs": o.GOMAXPROCS, "cause": orNil(cause),
			"cause_fraction": nil, "function": orNil(sender), "cpu_fraction": nil, "lossy": !o.complete},
	}
	if cause != "" {
		f.Message += fmt.Sprintf("; %s of them %s", unit.ShortPercent(share), cmp.Or(stormWords[cause], "for "+cause))
		f.Evidence["cause_fraction"] = rounded(share)
	}
	if sender != "" {
		f.Message += ", most of these by " + unit.Function(sender)
	}
	send, sent := o.cpu("P-5", "send", "")
	handler, handled := o.cpu("P-5", "handler", "")
	if sent && handled && o.Counts.SigurgSent != nil {
		cpu := (o.rate(*o.Counts.SigurgSent)*send + o.rate(o.Counts.SigurgDelivered)*handler) / 1e9
		f.Message += fmt.Sprintf("; sending and handling take %s of one CPU", unit.ShortPercent(cpu))
		f.Evidence["cpu_fraction"] = rounded(cpu)
		f.Cost = exactCost(cpu, "the time to send and to handle them")
		f.Severity = f.Cost.severity()
	}
	return []Finding{f}
}

// stormCause returns the cause of more than half of the signals, its share, and the function in the
// program that most of these came from; "" where there is none or it is not known.
func (o *observed) stormCause() (cause, function string, share float64) {
	n := map[string]uint64{"foreign": o.Counts.SigurgForeign}
	collected := uint64(0)
	for i := range o.Causes {
		if c := &o.Causes[i]; c.What == "preempt" {
			n[c.Cause] += c.N
			if ofCollector(c) {
				collected += c.N
			}
		}
	}
	for _, word := range slices.Sorted(maps.Keys(n)) {
		if k := n[word]; word != "unknown" && word != "other" && 2*k > o.Counts.SigurgGenerated {
			cause, share = word, min(1, float64(k)/float64(o.Counts.SigurgGenerated))
		}
	}
	if (cause == "" || cause == "stop_the_world") && 2*collected > o.Counts.SigurgGenerated {
		cause, share = collection, min(1, float64(collected)/float64(o.Counts.SigurgGenerated))
		n[cause] = collected
	}
	for i := range o.Causes {
		c := &o.Causes[i]
		if c.What == "preempt" && (c.Cause == cause || cause == collection && ofCollector(c)) && 2*c.N > n[cause] {
			function = c.Function
		}
	}
	return cause, function, share
}
