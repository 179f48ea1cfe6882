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

// StopAccount is the runtime's account of the stops of one kind.
type StopAccount struct {
	Kind    string    // "gc" or "other"
	All     StopTimes // all stops
	Delayed StopTimes // those of StopDelayed or longer
}

// StopTimes are durations as far as a histogram tells them: their sum and the longest of them, ns,
// are between Least and Most.
type StopTimes struct {
	N                         uint64
	Least, Most               int64
	LongestLeast, LongestMost int64
}

// delayedStops finds stops of the world that take long, because a thread does not stop. The runtime's
// account has all stops. The signals show why, but not where the thread that was late had one on its
// way already.
func delayedStops(o *observed) []Finding {
	var stops, delayed, known uint64
	var took, knownTook, worst int64
	by := map[string]*lateThreads{}
	most := &lateThreads{}
	for i := range o.Stops {
		stops += uint64(o.Stops[i].Hist.N())
	}
	for i := range o.StopDelays {
		d := &o.StopDelays[i]
		if d.Why == "unknown" && o.StopAccount != nil {
			continue
		}
		known, knownTook, worst = known+d.N, knownTook+d.Sum, max(worst, d.Max)
		sum := by[d.Why]
		if sum == nil {
			sum = &lateThreads{StopDelay: *d}
			by[d.Why] = sum
		} else {
			sum.N, sum.Sum, sum.others = sum.N+d.N, sum.Sum+d.Sum, sum.others || d.TID != sum.TID
		}
		if sum.Sum > most.Sum {
			most = sum
		}
	}
	delayed, took = known, knownTook
	source, upTo, counted, share := "signals", "up to ", " seen", "at least "
	if o.StopAccount != nil {
		source, upTo, counted, share = "runtime", "up to about ", "", "about "
		stops, delayed, took, worst = 0, 0, 0, 0
		for _, s := range o.StopAccount {
			stops, delayed = stops+s.All.N, delayed+s.Delayed.N
			took += (s.Delayed.Least + s.Delayed.Most) / 2
			worst = max(worst, (s.Delayed.LongestLeast+s.Delayed.LongestMost)/2)
		}
	}
	part := min(1, float64(took)/float64(o.ns)) // a stop may have begun before
	if part < delayedPart && worst < longStop {
		return nil
	}
	who, advice := o.whoStopsLate(most, took), o.stopEarlier(most)
	switch {
	case known == 0:
		who = "which thread was late is not known" + o.whyUnseen()
	case known < delayed:
		who = fmt.Sprintf("which thread was late is known for %d of them: %s", known, who)
	}
	if 2*knownTook < took {
		advice = o.unseenEarlier()
	}
	f := Finding{ID: "stop-the-world-delayed", Severity: info,
		Message: fmt.Sprintf("stopping the world took %s%s: %d of %s%s took %s or longer, %s%s of the window, "+
			"in which all other goroutines wait; %s", upTo, unit.ShortDuration(float64(worst)), delayed,
			unit.Plural(int(stops), "stop"), counted, unit.ShortDuration(correlate.StopDelayed), share,
			unit.ShortPercent(part), who),
		Advice: advice,
		Evidence: map[string]any{"source": source, "stops": stops, "delayed_stops": delayed, "delayed_ns": took,
			"worst_ns": worst, "window_fraction": rounded(part), "known_stops": min(known, delayed), "why": orNil(most.Why),
			"why_stops": nil, "why_ns": nil, "tid": nil, "function": orNil(most.Function), "goroutine": nil,
			"policy": nil, "nice": nil, "lossy": !o.complete},
	}
	if most.N > 0 {
		f.Evidence["why_stops"], f.Evidence["why_ns"] = most.N, most.Sum
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

// whyUnseen is why the signals do not show any of the stops that the runtime has counted.
func (o *observed) whyUnseen() string {
	switch {
	case o.StopsUnknown != "":
		return ": " + o.StopsUnknown
	case len(o.StopDelays) == 0:
		return ": no signal shows it, as when a thread has had no CPU since an earlier one was sent to it"
	}
	return ""
}

// unseenEarlier is the advice against such stops.
func (o *observed) unseenEarlier() string {
	if o.StopsUnknown != "" {
		return "look again without that: then this names the thread"
	}
	for i := range o.Threads {
		if tid := o.Threads[i].TID; o.lowered(tid) {
			return fmt.Sprintf("give all threads of the process the same priority: thread %d has a lower one (%s), "+
				"and a goroutine on it stops all others", tid, o.Priorities[tid].words())
		}
	}
	return "give the program more CPU time, or set GOMAXPROCS to the CPUs that it really gets"
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
	return fmt.Sprintf("in %s of that time %s %s", unit.ShortPercent(min(1, float64(d.Sum)/float64(took))), thread, did)
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
