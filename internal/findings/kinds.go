package findings

import (
	"cmp"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// kind is one kind of finding.
type kind struct {
	id   string
	find func(*observed) []Finding
	// unable returns why a window can't show it, in words that follow "because"; "" = it can. nil =
	// every window can.
	unable func(*observed) string
}

// kinds are all kinds of findings.
var kinds = []kind{
	{pinsGrowing, growingPins, tooFewPins},
	{threadsGrowing, growingThreads, tooFewThreads},
	{"exit-while-locked-churn", churn, noExits},
	{"children-killed-by-thread-exit", childrenKilled, nil},
	{"per-request-pinning", perRequest, noSites},
	{"wedged-m0", wedged, noLocks},
	{"unbalanced-lock", unbalanced, noLocks},
	{"pinned-handoff-hot-spot", hotSpots, noLocks},
	{"sigurg-storm", storm, noStorm},
	{"interrupted-calls", interruptedCalls, nil},
	{"sysmon-busy", busySysmon, noSysmon},
	{"pinned-thread-shares-core", sharedCores, noAffinity},
	{"pinned-thread-delayed", delayed, noLocks},
	{"leaked-pin", leaked, noLeaks},
	{"thread-surplus", surplus, noSurplus},
	{"stop-the-world-delayed", delayedStops, noStops},
	{"cpu-throttled", throttled, noQuota},
	{"gomaxprocs-mismatch", procsMismatch, noProcs},
	{"thread-differs", threadDiffers, noAttributes},
	{"affinity-overridden", overridden, noAffinity},
}

// IDs are the ids of all kinds of findings.
func IDs() (ids []string) {
	for _, k := range kinds {
		ids = append(ids, k.id)
	}
	return ids
}

const (
	whyRuntime = "the target's Go runtime could not be read"
	whyLoss    = "records were lost, and it follows from what did not happen"
)

func noLocks(o *observed) string {
	if o.Counts.LockedThreads == nil {
		return whyRuntime
	}
	return ""
}

// noSites: without the probe, a pin that ends just before the same goroutine's next one looks like one
// pin.
func noSites(o *observed) string {
	if why := noLocks(o); why != "" || o.Sites != nil {
		return why
	}
	return "only --sites sees each pin"
}

func noExits(o *observed) string {
	if why := noLocks(o); why != "" || o.Counts.ThreadsExitedLocked != nil {
		return why
	}
	return "system calls are not watched (--light)"
}

func noQuota(o *observed) string {
	if o.QuotaErr == nil {
		return ""
	}
	return "whether a CPU quota holds for the process is not known: " + o.QuotaErr.Error()
}

func noProcs(o *observed) string {
	if o.GOMAXPROCS <= 0 {
		return "the target's GOMAXPROCS could not be read"
	}
	return ""
}

// tooShort names the window that a finding needs, if this one is shorter.
func (o *observed) tooShort(needed int64) string {
	if o.ns >= needed {
		return ""
	}
	return "that takes a window of " + unit.ShortDuration(float64(needed)) + " or more (-d)"
}

func (o *observed) lost() string {
	if o.complete {
		return ""
	}
	return whyLoss
}

func noStorm(o *observed) string { return cmp.Or(noProcs(o), o.tooShort(stormWindow)) }

func noLeaks(o *observed) string { return cmp.Or(noLocks(o), o.tooShort(leakWindow), o.lost()) }

func noSurplus(o *observed) string {
	why := cmp.Or(noProcs(o), o.tooShort(int64(SurplusWindow)), o.lost())
	if why == "" && o.Held == nil {
		why = "what holds the threads could not be read"
	}
	return why
}

func noAffinity(o *observed) string {
	if why := noLocks(o); why != "" || len(o.Affinity) > 0 {
		return why
	}
	return "the CPUs that threads may run on could not be read"
}

func noSysmon(o *observed) string {
	for i := range o.Threads {
		if o.Threads[i].Role == "sysmon" {
			return ""
		}
	}
	return "no thread is known to be sysmon"
}

func noStops(o *observed) string {
	switch {
	case o.StopAccount != nil || o.StopsUnknown == "":
		return ""
	case noLocks(o) != "":
		return noLocks(o) // one reason is enough
	case o.StopAccountErr == nil:
		return o.StopsUnknown
	}
	return o.StopsUnknown + ", and the runtime's own account of its stops could not be read: " + o.StopAccountErr.Error()
}

func noAttributes(o *observed) string {
	if len(o.Attributes.ByTID) > 0 {
		return ""
	}
	return "threads were not compared: that takes a Go program that lives at the end of the observation"
}
