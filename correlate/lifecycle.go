package correlate

import "github.com/pinwatch/pinwatch/events"

const (
	sigurgBit = 1 << (23 - 1) // in a signal mask
	ssDisable = 2             // SS_DISABLE of sigaltstack(2)
)

func (c *Correlator) cloneEnter(e *events.Event) {
	t := c.known(e.TID)
	t.open(spanClone, e.Time)
	t.child = child{}
	t.clonedFrom = e.Args[events.ArgCloneStack]
	c.observedAs(t, uint8(e.Args[events.ArgCloneLock]), e.Time, false)
}

func (c *Correlator) newTask(e *events.Event) {
	parent := c.known(uint32(e.Args[events.ArgParent]))
	t := c.newThread(e.TID, int32(e.Args[events.ArgChildNSTID]))
	t.name, t.createdBy, t.createdAt, t.accounted = parent.name, parent.nsTID, e.Time, e.Time
	t.cloneEnter, t.byGo = events.Time(e.Args[events.ArgCloneEnter]), parent.maskedAt != 0
	if old := c.threads.get(e.TID); old != nil {
		c.unlocked(old)
	}
	c.threads.put(t)          // a tid used again is a new thread
	t.lock.notBefore = e.Time // nobody holds a thread that is not there
	c.countCreation(t, parent, e.Time)
	parent.child = child{t.createdAt, t.born}
	c.count(e.Time, func(w *window) *uint64 { return &w.counts.ThreadsCreated })
	for _, p := range [...]phase{phaseCloneSyscall, phaseSpawn, phaseRunqWait, phaseStart, phaseTotal} {
		c.begun(p, t.born, e.Time)
	}
}

func (c *Correlator) cloneExit(e *events.Event) {
	t := c.known(e.TID)
	made := t.child
	t.child = child{}
	s := t.close(spanClone, phaseCloneSyscall, e.Time)
	if s.begin != events.Time(e.Args[events.ArgEnter]) || made.createdAt == 0 || int64(e.Args[events.ArgRet]) < 0 {
		return // its enter was lost, or an earlier call's exit, or it failed
	}
	s.anchor, s.group = made.createdAt, made.born
	c.finish(t, s)
}

// firstRun is the first switch-in of a thread: woken at wake, running at in.
func (c *Correlator) firstRun(t *thread, wake, in events.Time) {
	if t.firstIn != 0 || t.createdAt == 0 {
		return
	}
	t.firstIn = in
	c.birth(t, phaseSpawn, t.cloneEnter, in)
	c.birth(t, phaseRunqWait, wake, in)
	if t.ready == 0 {
		t.open(spanStart, in)
		return
	}
	c.birth(t, phaseStart, in, t.ready) // it got ready in this very turn, without leaving the CPU
}

// birth records an interval of a thread's birth that is no single thread's time on a CPU, or had no switch-out.
func (c *Correlator) birth(t *thread, p phase, begin, end events.Time) {
	if begin != 0 && end != 0 {
		c.record(&sample{phase: p, group: t.born, begin: begin, end: end, anchor: t.createdAt})
	}
}

// sigmask: a thread made by the runtime that sets its mask after its signal stack is ready to run Go (runtime.minit); one that
// blocks SIGURG may be about to end (runtime.mexit), or to create a thread (runtime.newosproc). A thread that C code made calls
// Go when it likes, or never.
func (c *Correlator) sigmask(e *events.Event) {
	t := c.known(e.TID)
	c.observedAs(t, e.Flags, e.Time, false)
	if t.byGo && t.altstack && t.ready == 0 {
		c.isReady(t, e.Time)
	}
	t.maskedAt, t.mexit = 0, 0 // whatever it was about to, it goes on
	t.drop(spanMexit)
	if e.Args[events.ArgValue]&sigurgBit != 0 {
		t.maskedAt = e.Time
		t.open(spanMexit, e.Time)
	}
}

func (c *Correlator) isReady(t *thread, at events.Time) {
	t.ready = at
	c.birth(t, phaseTotal, t.cloneEnter, at)
	if t.spans[spanStart].begin != 0 {
		s := t.close(spanStart, phaseStart, at)
		s.anchor, s.group = t.createdAt, t.born
		c.finish(t, s)
	}
}

func (c *Correlator) sigaltstack(e *events.Event) {
	t := c.known(e.TID)
	if e.Args[events.ArgValue]&ssDisable == 0 {
		t.altstack = true
	} else if t.maskedAt != 0 {
		t.mexit = t.maskedAt
	}
}

func (c *Correlator) exitEnter(e *events.Event) {
	t := c.known(e.TID)
	t.open(spanExit, e.Time)
	c.exits(t, e.Args[events.ArgStack], e.Time)
	if t.mexit != 0 && t.spans[spanMexit].begin == t.mexit {
		s := t.close(spanMexit, phaseRuntime, e.Time)
		s.anchor, s.group = e.Time, t.end
		c.finish(t, s)
	}
}

// exits counts a thread that has called exit(2).
func (c *Correlator) exits(t *thread, stack uint64, at events.Time) {
	t.exitEnter = at
	c.count(at, func(w *window) *uint64 { return &w.counts.ThreadsExited })
	c.countExit(t, stack, at)
	for _, p := range [...]phase{phaseRuntime, phaseExit, phaseFree} {
		c.begun(p, t.end, at)
	}
}

// processExit counts the threads that end without having asked to and, in light, those that have.
func (c *Correlator) processExit(e *events.Event) {
	t := c.known(e.TID)
	t.ending = e.Time
	switch {
	case t.exitEnter != 0:
	case c.cfg.Light && e.Flags&events.ExitCalled != 0:
		c.exits(t, 0, e.Time)
	default:
		c.count(e.Time, func(w *window) *uint64 { return &w.counts.ThreadsKilled })
	}
}

// dead is a thread's last switch-out.
func (c *Correlator) dead(t *thread, at events.Time) {
	t.deadAt = at
	c.unlocked(t)
	c.settlePins(t, at)
	if t.spans[spanExit].begin == 0 {
		return
	}
	s := t.close(spanExit, phaseExit, at)
	s.anchor, s.group = t.exitEnter, t.end
	s.outs-- // the last one ends the interval
	c.finish(t, s)
}

func (c *Correlator) processFree(e *events.Event) {
	t := c.threads.get(e.TID)
	switch {
	case t == nil || t.deadAt == 0 && t.ending == 0:
		return // the tid is in use again
	case t.deadAt == 0: // the record of its last switch-out was lost
		c.brokenLink()
		c.account(t, classUnknown, t.accounted, e.Time)
		t.deadAt = e.Time
		c.unlocked(t)
		c.settlePins(t, e.Time)
	}
	if t.exitEnter != 0 && t.deadAt != e.Time {
		c.record(&sample{phase: phaseFree, group: t.end, begin: t.deadAt, end: e.Time, anchor: t.exitEnter})
	}
	c.threads.remove(e.TID)
	c.forgetFreed(t)
}

// exec: all other threads have ended, and the one that called it goes on under the process's tid.
func (c *Correlator) exec(e *events.Event) {
	old := uint32(e.Args[events.ArgOldTID])
	c.count(e.Time, func(w *window) *uint64 { return &w.execs })
	c.cfg.AsyncPreempt = 0 // it was the old program's, as all that is known of a runtime
	c.replaced = true
	c.forgetLocks(e.Time)
	t := c.threads.get(old)
	if old == e.TID || t == nil {
		return
	}
	c.threads.remove(old)
	if now := c.threads.get(e.TID); now != nil && now.deadAt == 0 {
		c.account(t, classUnknown, t.accounted, e.Time)
		t.deadAt = e.Time // it has been seen under its new tid already, and not been recognized
		return
	}
	t.tid, t.nsTID = e.TID, int32(e.Args[events.ArgExecNSTID])
	c.threads.put(t)
}

// takeOver finds the thread that goes on under the tid of a leader that has ended: it is executing a program, and the
// event that says so comes later. It is the one that last left its CPU when this turn says.
func (c *Correlator) takeOver(leader *thread, out events.Time) *thread {
	for t := range c.threads.all {
		if t.deadAt == 0 && t.lastOut == out && out != 0 {
			c.threads.remove(t.tid)
			t.tid, t.nsTID = leader.tid, leader.nsTID
			c.threads.put(t)
			return t
		}
	}
	c.brokenLink()
	t := c.newThread(leader.tid, leader.nsTID)
	t.name, t.createdAt, t.accounted = leader.name, out, out
	c.threads.put(t)
	return t
}
