package findings

import (
	"fmt"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// sysmonWindow: sysmon is quick after every wake of an idle program and slows down within
	// milliseconds, ns.
	sysmonWindow = 1e9
	// sysmonCPU is the part of one CPU that it takes where it never gets to sleep for longer than 20
	// µs, on a fast machine. It takes next to nothing where it does.
	sysmonCPU = 0.02
	// sysmonPerSecond wake-ups: it sleeps for 10 ms when there is nothing to do for it, and for 20 µs
	// when it has just taken a P from a thread in a call (runtime.sysmon).
	sysmonPerSecond = 1000.0
	// sysmonReset: each P that it takes, and each start of the world, makes it quick again for 50 wake-ups
	// of 20 µs and a few longer ones. So many per second are a reason for sysmonPerSecond and more.
	sysmonReset = 100.0
)

// busySysmon finds a sysmon that is load itself: while goroutines are in calls of more than 20 µs
// all the time, it takes their Ps, and never slows down (runtime.sysmon, retake).
func busySysmon(o *observed) []Finding {
	var s *correlate.Thread
	for i := range o.Threads {
		if t := &o.Threads[i]; t.Role == "sysmon" && t.ExitedAt == 0 {
			s = t
		}
	}
	if s == nil || o.ns < sysmonWindow {
		return nil
	}
	cpu, perSecond, how := float64(s.Run)/float64(o.ns), o.rate(s.Switches), "sysmon's time on a CPU between switches"
	if o.SysmonCPU != nil { // it has turns of a few µs: what the kernel charges before the switch counts
		cpu, how = float64(o.SysmonCPU.Nanoseconds())/float64(o.ns), "sysmon's time by the kernel's account, as in top"
	}
	if cpu < sysmonCPU || perSecond < sysmonPerSecond {
		return nil
	}
	f := Finding{ID: "sysmon-busy",
		Message: fmt.Sprintf("sysmon, the Go runtime's monitor thread, takes %s of one CPU with %s%s wake-ups per s: "+
			"it does not slow down", unit.ShortPercent(cpu), o.atLeast(), unit.Short(perSecond)),
		Advice: "wait without a system call where there is a choice (time.Sleep, time.Ticker, a channel, net and os files " +
			"that use the poller), or wait once for longer instead of often",
		Cost: exactCost(cpu, how),
		Evidence: map[string]any{"tid": s.TID, "cpu_fraction": rounded(cpu), "run_ns": s.Run,
			"wakeups_per_s": rounded(perSecond),
			"function":      nil, "function_tid": nil, "function_switches_per_s": nil, "lossy": !o.complete},
	}
	f.Severity = f.Cost.severity()
	t, entry, calls := o.busiestCaller()
	switch stops := o.rate(o.worldStops()); {
	case o.rate(calls) >= sysmonReset:
		// A goroutine whose P is taken goes on with another thread, so the number is the thread's alone.
		f.Message += fmt.Sprintf(", because goroutines are in short system calls or in C all the time: most of all %s "+
			"(at the end on thread %d, which itself waited %s times per s)", goroutineOf(entry), t.TID,
			unit.Short(o.rate(t.Switches)))
		f.Advice = "in " + function(entry) + ", " + f.Advice
		f.Evidence["function"], f.Evidence["function_tid"] = entry, t.TID
		f.Evidence["function_switches_per_s"] = rounded(o.rate(t.Switches))
	case stops >= sysmonReset:
		f.Message += fmt.Sprintf(", because the runtime stops goroutines again and again, mostly to collect garbage (%s "+
			"signals per s)", unit.Short(stops))
		f.Advice = collectLess
	default:
		f.Message += "; that comes of system calls or C calls of some 20 µs, or of a program that falls idle and becomes " +
			"busy many times a second: which of them it is was not seen"
	}
	return []Finding{f}
}

// ofRuntime reports whether the runtime started a goroutine for itself, as for the collector.
func ofRuntime(entry string) bool {
	return strings.HasPrefix(entry, "runtime.") && entry != mainGoroutine
}

// busiestCaller returns the thread whose goroutine was in a call at the window's end and which has left
// its CPU most often, the function that goroutine began with, and how often all such threads left
// theirs. Threads that were in no call may have waited for anything.
func (o *observed) busiestCaller() (busiest *correlate.Thread, entry string, switches uint64) {
	for i := range o.Threads {
		t := &o.Threads[i]
		g := o.Goroutines[t.TID]
		if g.Entry == "" || !g.InCall || ofRuntime(g.Entry) || t.ExitedAt != 0 {
			continue
		}
		switches += t.Switches
		if busiest == nil || t.Switches > busiest.Switches {
			busiest, entry = t, g.Entry
		}
	}
	return busiest, entry, switches
}

// worldStops counts the signals by which the runtime stopped goroutines for its own work.
func (o *observed) worldStops() (n uint64) {
	for i := range o.Causes {
		if c := &o.Causes[i]; c.What == "preempt" && (c.Cause == "stop_the_world" || ofCollector(c)) {
			n += c.N
		}
	}
	return n
}
