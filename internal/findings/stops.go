package findings

import (
	"cmp"
	"fmt"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// delayedPart is the part of the window that delayed stops of the world take, from which on one of a
	// hundred requests meets one.
	delayedPart = 0.01
	// stopsWarn is the part from which on they show in the latency of one of twenty.
	stopsWarn = 0.05
	// longStop is a stop, ns, that is longer than what a thread waits for a CPU on a machine that is a
	// little busy (a slice of the kernel's is some ms).
	longStop = 10e6
	// longStopWarn is a stop that a person notices, ns.
	longStopWarn = 100e6
)

// lateThreads are the delays with one why: their sum, and the thread and function of most of them.
type lateThreads struct {
	correlate.StopDelay
	others bool // there are other threads, too
}

// delayedStops finds stops of the world that take long, because a thread does not stop.
func delayedStops(o *observed) []Finding {
	var stops, delayed uint64
	var took, worst int64
	by := map[string]*lateThreads{}
	var most *lateThreads
	for i := range o.Stops {
		stops += uint64(o.Stops[i].Hist.N())
	}
	for i := range o.StopDelays {
		d := &o.StopDelays[i]
		delayed, took, worst = delayed+d.N, took+d.Sum, max(worst, d.Max)
		sum := by[d.Why]
		if sum == nil {
			sum = &lateThreads{StopDelay: *d}
			by[d.Why] = sum
		} else {
			sum.N, sum.Sum, sum.others = sum.N+d.N, sum.Sum+d.Sum, sum.others || d.TID != sum.TID
		}
		if most == nil || sum.Sum > most.Sum {
			most = sum
		}
	}
	part := float64(took) / float64(o.ns)
	if part < delayedPart && worst < longStop {
		return nil
	}
	f := Finding{ID: "stop-the-world-delayed", Severity: info,
		Message: fmt.Sprintf("stopping the world took up to %s: %d of %s seen took %s or longer, at least %s of the window, "+
			"in which all other goroutines wait; %s", unit.ShortDuration(float64(worst)), delayed,
			unit.Plural(int(stops), "stop"), unit.ShortDuration(correlate.StopDelayed), unit.ShortPercent(part),
			o.whoStopsLate(most, took)),
		Advice: o.stopEarlier(most),
		Evidence: map[string]any{"stops": stops, "delayed_stops": delayed, "delayed_ns": took, "worst_ns": worst,
			"window_fraction": rounded(part), "why": most.Why, "why_stops": most.N, "why_ns": most.Sum, "tid": nil,
			"function": orNil(most.Function), "goroutine": nil, "policy": nil, "nice": nil, "lossy": !o.complete},
	}
	if most.TID != 0 {
		f.Evidence["tid"] = most.TID
		f.Evidence["goroutine"] = orNil(o.Goroutines[most.TID].Entry)
		if p := o.Priorities[most.TID]; p.Policy != "" {
			f.Evidence["policy"], f.Evidence["nice"] = p.Policy, p.Nice
		}
	}
	if part >= stopsWarn || worst >= longStopWarn {
		f.Severity = warn
	}
	return []Finding{f}
}

// whoStopsLate puts into words what most of the time was waited for.
func (o *observed) whoStopsLate(d *lateThreads, took int64) string {
	thread := "a thread"
	switch {
	case d.TID != 0 && d.others:
		thread = fmt.Sprintf("a thread (tid %d most of all)", d.TID)
	case d.TID != 0:
		thread = fmt.Sprintf("thread %d", d.TID)
	}
	did := map[string]string{
		"running":   "ran code in which the runtime can't stop it",
		"waiting":   "was ready to stop and had no CPU",
		"throttled": "was kept off its CPU by the CPU quota",
		"paused":    "was stopped or frozen",
		"blocked":   "waited in the kernel, as for a page of memory, outside of any call that the runtime knows of",
		"stopper":   "wanted to go on, as all others had stopped, and had no CPU",
	}[d.Why]
	switch {
	case did == "":
		return "for which thread is not known"
	case d.Why == "running" && d.Function != "":
		did = "ran " + unit.Function(d.Function) + ", in which the runtime can't stop it"
	case d.Why == "waiting" && o.lowered(d.TID):
		did += ": it has a lower priority than others (" + o.Priorities[d.TID].words() + ")"
	}
	return fmt.Sprintf("in %s of that time %s %s", unit.ShortPercent(float64(d.Sum)/float64(took)), thread, did)
}

// lowered reports whether a thread has a lower priority than the default.
func (o *observed) lowered(tid int32) bool {
	p := o.Priorities[tid]
	return p.Nice > 0 || p.Policy == schedIdle || p.Policy == schedBatch
}

// Policies that give way to others (include/uapi/linux/sched.h).
const (
	schedIdle  = "SCHED_IDLE"
	schedBatch = "SCHED_BATCH"
)

func (p Priority) words() string {
	return fmt.Sprintf("%s, nice %d", cmp.Or(p.Policy, "policy unknown"), p.Nice)
}

// stopEarlier is the advice against what most of the time was waited for.
func (o *observed) stopEarlier(d *lateThreads) string {
	switch d.Why {
	case "running":
		return "do that work in pieces of 1 MB or less (copies, checksums, searches): between two pieces the goroutine " +
			"can stop"
	case "throttled":
		return "raise the CPU quota, or set GOMAXPROCS to what it allows"
	case "paused":
		return "nothing in the program: it was stopped or frozen while it was to stop its world"
	case "blocked":
		return "keep the memory that goroutines touch resident: no swap, no reads of mapped files from a slow disk"
	case "waiting", "stopper":
		if o.lowered(d.TID) {
			return "give all threads of the process the same priority: a goroutine on a thread with a low one stops all others"
		}
		return "give the program more CPU time, or set GOMAXPROCS to the CPUs that it really gets"
	}
	return "stop other programs on these CPUs, and look at a longer window"
}
