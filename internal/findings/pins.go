package findings

import (
	"fmt"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// wedged finds a main thread that is parked for ever: a goroutine that was locked to it ended, and
// the runtime, which would destroy any other thread, can't end this one (runtime.mexit). By the
// self-check that state has no other explanation: one read suffices.
func wedged(o *observed) (fs []Finding) {
	for i := range o.Threads {
		t := &o.Threads[i]
		if t.Lock.State != "wedged" || t.ExitedAt != 0 {
			continue
		}
		fs = append(fs, Finding{
			ID: "wedged-m0", Severity: warn,
			Message: fmt.Sprintf("the main thread (tid %d) is parked for ever: a goroutine locked to it ended without "+
				"UnlockOSThread", t.TID),
			Advice: fmt.Sprintf("in %s, put defer runtime.UnlockOSThread() right after LockOSThread; code that needs the main "+
				"thread (a GUI, some C libraries) can no longer run", function(t.Lock.Entry)),
			Evidence: map[string]any{"tid": t.TID, "function": orNil(t.Lock.Entry)},
		})
	}
	return fs
}

// lockDepth is more LockOSThread calls on one goroutine than libraries ever nest: each level is a
// function on the stack with a reason of its own to pin.
const lockDepth = 16

// unbalanced finds goroutines that lock more often than they unlock (E-1): one unlock does not undo
// the pin.
func unbalanced(o *observed) (fs []Finding) {
	for i := range o.Threads {
		t := &o.Threads[i]
		if l := &t.Lock; l.State == "user" && t.ExitedAt == 0 && l.Ext >= lockDepth {
			fs = append(fs, Finding{
				ID: "unbalanced-lock", Severity: warn,
				Message: fmt.Sprintf("%s has called LockOSThread %d times more often than UnlockOSThread (tid %d, goroutine %d)",
					goroutineOf(l.Entry), l.Ext, t.TID, l.GoID),
				Advice: fmt.Sprintf("in %s and the functions it calls, put defer runtime.UnlockOSThread() right after every "+
					"LockOSThread: now no single unlock frees the thread", function(l.Entry)),
				Evidence: map[string]any{"tid": t.TID, "goid": knownID(l.GoID), "function": orNil(l.Entry), "lock_depth": l.Ext,
					"lock_depth_max": l.MaxExt},
			})
		}
	}
	return fs
}

const (
	// leakWindow is how long a pin must have been idle, ns. A worker with something to do now and
	// then cannot be distinguished from a leak while it waits.
	leakWindow = 10e9
	// leakWarnWindow is the same for a warning, ns, given leakWarnThreads.
	leakWarnWindow = 60e9
	// leakWarnThreads idle pins (or GOMAXPROCS, where that is more) may be a pool of workers at a
	// quiet hour, since a pool is made to keep the CPUs busy. More than that were hardly meant.
	leakWarnThreads = 8
)

// leaked finds pins without use: the goroutine waits in the scheduler, and was not woken in the
// whole window. One in a system call or in C is not parked: it may be working. Whether a pin is
// leaked or waits for work that will come does not show from outside, and a few idle ones cost no
// more than their threads; so it is a remark, and a warning only when they are many for long.
func leaked(o *observed) (fs []Finding) {
	if o.ns < leakWindow {
		return nil
	}
	var idle []*correlate.Thread
	for i := range o.Threads {
		t := &o.Threads[i]
		if t.Lock.State == "user" && t.Lock.Parked && t.Handoff.N == 0 && o.slept(t) {
			idle = append(idle, t)
		}
	}
	for _, group := range byEntry(idle) {
		entry := group[0].Lock.Entry
		f := Finding{ID: "leaked-pin", Severity: info,
			Message: fmt.Sprintf("%s kept for %s: locked, parked and never woken in %s",
				unit.Plural(len(group), "thread"), goroutineOf(entry), unit.ShortDuration(float64(o.ns))),
			Advice: fmt.Sprintf("if no more work will come, let %s return or call runtime.UnlockOSThread before it waits; "+
				"if more will come, this is the price of keeping its thread", function(entry)),
			Evidence: map[string]any{"threads": len(group), "tids": tids(group), "goids": goids(group), "function": orNil(entry),
				"window_s": rounded(o.seconds), "held_min_s": rounded(float64(leastHeld(group)) / 1e9)},
		}
		if entry == mainGoroutine {
			f.Advice = "if nothing needs the main thread (a GUI, some C libraries), remove LockOSThread from main.main and " +
				"from every init function"
		}
		if o.ns >= leakWarnWindow && o.GOMAXPROCS > 0 && len(group) > max(leakWarnThreads, o.GOMAXPROCS) {
			f.Severity = warn
		}
		fs = append(fs, f)
	}
	return fs
}

func leastHeld(ts []*correlate.Thread) int64 {
	least := ts[0].Lock.HeldMin
	for _, t := range ts {
		least = min(least, t.Lock.HeldMin)
	}
	return least
}

func goids(ts []*correlate.Thread) []uint64 {
	ids := make([]uint64, 0, min(len(ts), mostTIDs))
	for _, t := range ts[:min(len(ts), mostTIDs)] {
		ids = append(ids, t.Lock.GoID)
	}
	return ids
}

func knownID(goid uint64) any {
	if goid == 0 {
		return nil
	}
	return goid
}
