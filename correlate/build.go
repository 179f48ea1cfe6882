package correlate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

const microsecond = 1000 // ns

// lightWarning lists what is not known where system calls are not watched.
const lightWarning = "no system call was watched (light): of creating a thread only its wait for a CPU was measured, " +
	"of ending one only the wait until it is freed, of SIGURG only the delivery; " +
	"how many were sent, how many injected nothing, and which threads exited locked is not known"

// result makes the Result of a window that has ended.
func (c *Correlator) result(w *window) *Result {
	r := &Result{Start: w.start, End: w.end, Interval: w.interval, Counts: w.counts, Loss: w.loss,
		Moves: w.moves.result(), Locks: w.locks, ThreadsOmitted: w.droppedN}
	r.Causes, r.Unclassified = c.program.causeRows(&w.ledger)
	r.ParentDeaths = parentDeathRows(&w.ledger)
	r.Calls = callRows(&w.ledger)
	r.Delays = c.program.delayRows(&w.ledger)
	r.Handoffs, r.EndRelays = c.program.handoffRows(&w.ledger), w.endRelays
	if r.StopsUnknown = c.stopsUnknown(); r.StopsUnknown == "" {
		r.Stops, r.StopDelays = w.stopRows()
	}
	r.Costs = w.costRows(c.cfg.Light)
	if c.cfg.Sites {
		r.Sites = c.program.siteRows(w)
	}
	if !c.cfg.Light {
		r.Counts.SigurgSent = &w.sent
		if c.program.asyncPreempt != 0 {
			r.Counts.SigurgNotInjected = &w.notInjected
		}
	}
	// Of turns that are only summed it is not known when the thread was off its CPU.
	r.PausesKnown, r.ThrottlesKnown = c.cfg.Pauses && !c.cfg.Aggregate, c.cfg.Throttles && !c.cfg.Aggregate
	r.Paused = w.paused
	c.addThreads(r, w)
	c.addSleepers(r)
	r.Warnings = c.warnings(w)
	return r
}

// addThreads adds the threads with a share of the window, and the counts that are sums over them.
func (c *Correlator) addThreads(r *Result, w *window) {
	var locked, lockedByRuntime uint64
	r.Threads = make([]Thread, 0, len(w.threads))
	for _, t := range w.threads {
		s := &t.shares[w.slot]
		row := c.threadRow(t, s, w)
		switch {
		case row.ExitedAt != 0:
		case row.Lock.State == "user":
			locked++
		case row.Lock.State == "runtime":
			lockedByRuntime++
		}
		r.Threads = append(r.Threads, row)
		r.Counts.Switches += s.switches
		r.Counts.Migrations += s.migrations
		r.Counts.Run += s.time[classRun]
		if t.deadAt == 0 || t.deadAt >= w.end {
			r.Counts.Threads++
		}
	}
	r.Counts.Switches += w.dropped.switches
	r.Counts.Migrations += w.dropped.migrations
	r.Counts.Run += w.dropped.time[classRun]
	slices.SortFunc(r.Threads, func(a, b Thread) int {
		return cmp.Or(cmp.Compare(a.TID, b.TID), cmp.Compare(a.StartedAt, b.StartedAt))
	})
	if c.program.locks {
		r.Counts.LockedThreads, r.Counts.LockedByRuntime = &locked, &lockedByRuntime
		// A Go program has one thread until main begins, and no goroutine of the user's (runtime/proc.go,
		// main, starts sysmon's before).
		if w.madeUnread == 0 {
			r.Counts.LockedThreadsMax = &w.lockedMax
		}
		if !c.cfg.Light && w.exitedUnread == 0 {
			r.Counts.ThreadsExitedLocked = &w.exitedLocked
		}
		w.lockedMax = max(w.lockedMax, locked)
	}
}

func (c *Correlator) warnings(w *window) (warnings []string) {
	if c.cfg.Light {
		warnings = append(warnings, lightWarning)
	}
	if w.madeUnread+w.exitedUnread > 0 {
		warnings = append(warnings, fmt.Sprintf("locks were not read in the first %v of the program, in which it created %d "+
			"threads and ended %d: what these held then is not known", c.cfg.LocksFrom.Sub(w.start).Round(microsecond),
			w.madeUnread, w.exitedUnread))
	}
	if n := w.loss.Total(); n > 0 {
		warnings = append(warnings, fmt.Sprintf("%d records were lost: counts are lower bounds", n))
	}
	if l := w.loss; l.Untracked+l.UntrackedTurns > 0 {
		warnings = append(warnings, fmt.Sprintf("the kernel's table of threads was full: %d threads had no room "+
			"since the attach, and %d switches of such threads were not recorded: their times, migrations and locks "+
			"are unknown, switches and costs are lower bounds", l.Untracked, l.UntrackedTurns))
	}
	switch {
	case w.execs > 0:
		warnings = append(warnings, fmt.Sprintf("the process executed another program (%d×) in the window: "+
			"the description of the program is true of the first one", w.execs))
	case c.program.replaced:
		warnings = append(warnings, "the process has executed another program since pinwatch attached, and before this "+
			"window: what it is now is not known; attach again")
	}
	return warnings
}

func (c *Correlator) threadRow(t *thread, s *share, w *window) Thread {
	r := Thread{
		TID: t.nsTID, Name: t.name, CreatedBy: t.createdBy, Switches: s.switches, Migrations: s.migrations,
		Run: s.time[classRun], Runq: s.time[classRunq], Blocked: s.time[classBlocked], Unknown: s.time[classUnknown],
		Paused: s.time[classPaused], Throttled: s.time[classThrottled],
		CPUs: s.cpus.list(), Role: c.program.role(t, c.cfg.Light), Lock: c.lockRow(t, s, w),
	}
	if h := &t.handoffs[w.slot]; h.goid == t.atEnd.goid {
		r.Handoff = h.Handoff
	}
	if t.m.known && !(t.m.extra && t.atEnd.kind == events.LockForeign) { // such a thread has returned its M
		id := t.m.id
		r.M = &id
	}
	if w.contains(t.createdAt) {
		r.StartedAt = t.createdAt
		if k := t.createdFor; k != nil {
			r.Cause, r.CauseFunction = k.Cause, k.Function
		}
	}
	if t.deadAt != 0 && w.contains(t.deadAt) {
		r.ExitedAt = t.deadAt
	}
	return r
}

// lockState returns the word for a thread's lock in reports.
func lockState(t *thread, kind uint8) string {
	switch kind {
	case events.LockUser:
		if t.atEnd.ofRuntime {
			return "runtime"
		}
		return "user"
	case events.LockRuntime:
		return "runtime"
	case events.LockNone, events.LockForeign:
		return "none"
	case events.LockOrphan:
		switch {
		case !t.m.known:
			return "unknown"
		case t.m.id == 0:
			return "wedged"
		}
		return "exiting"
	}
	return "unknown"
}

// lockRow returns the lock at the window's end, as last read.
func (c *Correlator) lockRow(t *thread, s *share, w *window) ThreadLock {
	l := &t.atEnd.lock
	r := ThreadLock{State: lockState(t, t.atEnd.kind), Ext: l.ext, Int: l.internal, MaxExt: max(s.maxExt, l.ext),
		GoID: l.goid, Parked: l.parked, Holds: s.holds}
	if r.State == "unknown" {
		return ThreadLock{State: r.State, MaxExt: s.maxExt, Holds: s.holds}
	}
	if l.entry != 0 {
		r.Entry = c.program.function(l.entry)
	}
	if l.since != 0 {
		end := w.endOrMax()
		if t.deadAt != 0 {
			end = min(end, t.deadAt)
		}
		r.HeldMin = int64(max(0, min(l.seen, end)-l.since))
		if l.notBefore != 0 {
			most := int64(end - l.notBefore)
			r.HeldMax = &most
		}
	}
	r.Sites = c.lockSites(t, r.State)
	return r
}
