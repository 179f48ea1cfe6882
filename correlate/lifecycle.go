package correlate

import (
	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/events"
)

const (
	sigurgBit = 1 << (23 - 1) // in a signal mask
	ssDisable = 2             // SS_DISABLE of sigaltstack(2)
)

func (c *Correlator) cloneEnter(e *events.Event) {
	t := c.threadOf(e.TID)
	t.openSpan(spanClone, e.Time)
	t.child = child{}
	t.clonedFrom = e.Args[events.ArgCloneStack]
	c.locks.observeKind(t, uint8(e.Args[events.ArgCloneLock]), e.Time, false)
}

func (c *Correlator) newTask(e *events.Event) {
	parent := c.threadOf(uint32(e.Args[events.ArgParent]))
	t := c.threads.create(e.TID, int32(e.Args[events.ArgChildNSTID]))
	t.name, t.createdBy, t.createdAt, t.accounted = parent.name, parent.nsTID, e.Time, e.Time
	if e.Has(events.ThreadUntracked) {
		t.state = classUnknown // until a turn of it is recorded
	}
	t.cloneEnter = events.Time(e.Args[events.ArgCloneEnter])
	t.byGo, t.maybeByGo = parent.maskedAt != 0, parent.maskUnknown
	if old := c.threads.get(e.TID); old != nil {
		c.locks.release(old)
	}
	delete(c.sleepers.byTID, e.TID)
	c.threads.put(t)          // a tid used again is a new thread
	t.lock.notBefore = e.Time // no goroutine held it before
	if parent.child.createdAt != 0 {
		// The call before has not returned: the kernel skipped its exit, and the enter of this one.
		t.cloneEnter = 0
		parent.dropSpan(spanClone)
	}
	if e.Has(events.ThreadIOWorker) {
		c.locks.setIOWorker(t)
		return
	}
	c.countCreation(t, parent, e.Time)
	parent.child = child{t.createdAt, t.birth}
	c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.counts.ThreadsCreated })
	for _, p := range [...]phase{phaseCloneSyscall, phaseSpawn, phaseRunqWait, phaseStart, phaseTotal} {
		c.windows.begin(p, t.birth, e.Time)
	}
}

func (c *Correlator) cloneExit(e *events.Event) {
	t := c.threadOf(e.TID)
	made := t.child
	t.child = child{}
	s := t.closeSpan(spanClone, phaseCloneSyscall, e.Time)
	if s.begin != events.Time(e.Args[events.ArgEnter]) || made.createdAt == 0 || int64(e.Args[events.ArgRet]) < 0 {
		return // its enter was lost, or an earlier call's exit, or it failed
	}
	s.anchor, s.group = made.createdAt, made.birth
	c.samples.finish(t, s)
}

// firstRun records the intervals that end with a thread's first switch-in, after its wake-up.
func (c *Correlator) firstRun(t *thread, wake, in events.Time) {
	if t.firstIn != 0 || t.createdAt == 0 || t.ioWorker {
		return
	}
	t.firstIn = in
	c.samples.recordBirth(t, phaseSpawn, t.cloneEnter, in)
	c.samples.recordBirth(t, phaseRunqWait, wake, in)
	if t.ready == 0 {
		t.openSpan(spanStart, in)
		return
	}
	c.samples.recordBirth(t, phaseStart, in, t.ready) // it got ready in this very turn, without leaving the CPU
}

// sigmask handles a Sigmask. A thread made by the runtime that sets its mask after its signal stack
// is ready to run Go (runtime.minit); one that blocks SIGURG may be about to end (runtime.mexit) or
// to create a thread (runtime.newosproc). A thread that C code made calls Go at any time, or never.
func (c *Correlator) sigmask(e *events.Event) {
	t := c.threadOf(e.TID)
	c.locks.observeKind(t, e.Flags, e.Time, false)
	if t.byGo && t.altstack && t.ready == 0 {
		c.readyThread(t, e.Time)
	}
	t.maskedAt, t.mexit = 0, 0 // it goes on: it neither ends nor creates a thread
	t.dropSpan(spanMexit)
	if t.maskUnknown = e.Args[events.ArgUnread] != 0; t.maskUnknown {
		return
	}
	if e.Args[events.ArgValue]&sigurgBit != 0 {
		t.maskedAt = e.Time
		t.openSpan(spanMexit, e.Time)
	}
}

func (c *Correlator) readyThread(t *thread, moment events.Time) {
	t.ready = moment
	c.samples.recordBirth(t, phaseTotal, t.cloneEnter, moment)
	if t.spans[spanStart].begin != 0 {
		s := t.closeSpan(spanStart, phaseStart, moment)
		s.anchor, s.group = t.createdAt, t.birth
		c.samples.finish(t, s)
	}
}

func (c *Correlator) sigaltstack(e *events.Event) {
	t := c.threadOf(e.TID)
	if e.Args[events.ArgValue]&ssDisable == 0 {
		t.altstack = true
	} else if t.maskedAt != 0 {
		t.mexit = t.maskedAt
	}
}

func (c *Correlator) exitEnter(e *events.Event) {
	t := c.threadOf(e.TID)
	t.openSpan(spanExit, e.Time)
	c.threadExits(t, e.Args[events.ArgStack], e.Time)
	if t.mexit != 0 && t.spans[spanMexit].begin == t.mexit {
		s := t.closeSpan(spanMexit, phaseRuntime, e.Time)
		s.anchor, s.group = e.Time, t.death
		c.samples.finish(t, s)
	}
}

// threadExits counts a thread that has called exit(2).
func (c *Correlator) threadExits(t *thread, stack uint64, moment events.Time) {
	t.exitEnter = moment
	c.windows.count(moment, func(l *ledger) *uint64 { return &l.counts.ThreadsExited })
	c.countExit(t, stack, moment)
	for _, p := range [...]phase{phaseRuntime, phaseExit, phaseFree} {
		c.windows.begin(p, t.death, moment)
	}
}

// parentDeath handles a ParentDeath: the thread is about to end.
func (c *Correlator) parentDeath(e *events.Event) {
	c.threadOf(e.TID).childrenKilled = childrenKilled{e.Args[events.ArgChildren], int(e.Args[events.ArgDeathSignal])}
}

// countParentDeath counts the children that get a signal because their parent's thread has called
// exit(2). Where the whole process ends, they get it too, and that is what it is for.
func (c *Correlator) countParentDeath(t *thread, moment events.Time) {
	k := t.childrenKilled
	w := c.windows.find(moment, moment)
	if k.n == 0 || w == nil {
		return
	}
	key := parentDeath{signal: k.signal}
	if last := c.locks.lastPin(t); last != 0 {
		key.function = c.program.reasonOf(cause.Exit, last).Function
	} else if t.awaited.entry != 0 && heldByUser(t.awaited.kind) {
		key.function = c.program.function(t.awaited.entry)
	}
	d := w.parentDeaths[key]
	d.threads++
	d.children += k.n
	w.parentDeaths[key] = d
}

// processExit handles a ProcessExit. It counts the threads that end without a call of exit(2), and
// those whose call was not seen: in light, or because the kernel skipped the program there.
func (c *Correlator) processExit(e *events.Event) {
	t := c.threadOf(e.TID)
	t.ending = e.Time
	if t.exitEnter != 0 || e.Flags&events.ExitCalled != 0 {
		c.countParentDeath(t, e.Time)
	}
	switch {
	case t.exitEnter != 0, t.ioWorker:
	case e.Flags&events.ExitCalled != 0:
		c.threadExits(t, 0, e.Time)
	default:
		c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.counts.ThreadsKilled })
	}
}

// lastSwitchOut ends a thread's time line.
func (c *Correlator) lastSwitchOut(t *thread, now events.Time) {
	t.deadAt, c.lastEnd = now, max(c.lastEnd, now)
	c.locks.release(t)
	c.locks.endPins(t, now)
	if t.spans[spanExit].begin == 0 {
		return
	}
	s := t.closeSpan(spanExit, phaseExit, now)
	s.anchor, s.group = t.exitEnter, t.death
	s.outs-- // the last absence ends the interval
	c.samples.finish(t, s)
}

func (c *Correlator) processFree(e *events.Event) {
	t := c.threads.get(e.TID)
	switch {
	case t == nil || t.deadAt == 0 && t.ending == 0:
		return // the tid is in use again
	case t.deadAt == 0: // the record of its last switch-out was lost
		c.endUnseen(t, e.Time)
		c.locks.endPins(t, e.Time)
	}
	if t.exitEnter != 0 && t.deadAt != e.Time && !c.Ended() { // after the target's end there is no window
		c.windows.record(&sample{phase: phaseFree, group: t.death, begin: t.deadAt, end: e.Time, anchor: t.exitEnter})
	}
	c.threads.remove(e.TID)
	c.windows.forgetFreed(t)
}

// exec handles an Exec: all other threads have ended, and the caller goes on under the process's
// tid.
func (c *Correlator) exec(e *events.Event) {
	old := uint32(e.Args[events.ArgOldTID])
	c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.execs })
	c.program.replace()
	c.wake(old)
	for t := range c.threads.all {
		c.locks.forget(t, e.Time)
	}
	clear(c.sleepers.byTID) // they have ended
	t := c.threads.get(old)
	if old == e.TID || t == nil {
		return
	}
	c.threads.remove(old)
	if leader := c.threads.get(e.TID); leader != nil && leader.deadAt == 0 && leader.ending != 0 {
		// It has ended but not left its CPU yet: there is no record of when it does.
		class := classUnknown
		if leader.preempted && leader.ending <= leader.lastOut {
			class = classRunq
		}
		c.windows.account(leader, class, leader.accounted, e.Time)
		c.lastSwitchOut(leader, e.Time)
		c.threads.remove(e.TID)
	}
	if now := c.threads.get(e.TID); now != nil && now.deadAt == 0 {
		c.windows.account(t, classUnknown, t.accounted, e.Time)
		t.deadAt = e.Time // events under its new tid came before, and made another thread of it
		return
	}
	t.tid, t.nsTID = e.TID, int32(e.Args[events.ArgExecNSTID])
	c.threads.put(t)
}

// takeOver returns the thread that goes on under the tid of a leader that has ended: it executes a
// program, and the Exec comes later. It is the one whose last switch-out this turn joins.
func (c *Correlator) takeOver(leader *thread, out events.Time) *thread {
	for t := range c.threads.all {
		if t.deadAt == 0 && t.lastOut == out && out != 0 {
			c.threads.remove(t.tid)
			t.tid, t.nsTID = leader.tid, leader.nsTID
			c.threads.put(t)
			return t
		}
	}
	c.windows.breakLink()
	t := c.threads.create(leader.tid, leader.nsTID)
	t.name, t.createdAt, t.accounted = leader.name, out, out
	c.threads.put(t)
	return t
}
