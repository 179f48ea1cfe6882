package correlate

import "github.com/pinwatch/pinwatch/events"

// turn handles a Switch: the thread leaves its CPU now; the times of its last switch-out, wake-up
// and switch-in are relative to that.
func (c *Correlator) turn(e *events.Event) {
	t := c.threadOf(e.TID)
	now := e.Time
	in := now - events.Time(e.Args[events.ArgRunNS])
	wake := in - events.Time(e.Args[events.ArgRunqNS])
	out := wake - events.Time(e.Args[events.ArgBlockedNS])
	if t.deadAt != 0 {
		t = c.takeOver(t, out)
	}

	switch {
	case e.Has(events.SwitchRun | events.SwitchOff):
		c.windows.endPause(out, wake)
		c.windows.accountTurn(t, e.CPU, out, wake, in, now)
		c.endAbsence(t, e.Has(events.SwitchFirst), out, wake, in)
		c.switchIn(t, e, in)
	case e.Has(events.SwitchRun):
		c.samples.addAbsence(t, t.accounted, in)
		c.windows.endPause(0, wake)
		c.windows.accountOff(t, t.stateBefore(e), e.CPU, 0, wake)
		c.windows.accountOff(t, classRunq, e.CPU, wake, in)
		c.switchIn(t, e, in)
		c.windows.account(t, classRun, in, now)
	case !e.Has(events.SwitchOff) && t.lastOut == 0 && t.createdAt == 0: // it has run since before the programs did
		c.windows.addCPU(t, e.CPU, t.accounted, now)
		t.addRun(t.accounted, now, e.Has(events.SwitchPreempted))
		c.windows.account(t, classRun, t.accounted, now)
	default: // its switch-in was not traced: when its wait ended and its run began is not known
		c.windows.breakLink()
		c.windows.account(t, classBlocked, t.lastOut, t.lastOut+events.Time(e.Args[events.ArgBlockedNS]))
		c.windows.account(t, classUnknown, t.accounted, now)
		c.samples.addUnknownAbsence(t, now)
		c.switchIn(t, e, now) // a run never changes its CPU, so where it began is known
	}
	if e.Has(events.SwitchRun) {
		c.samples.endResumes(t, in)
		if e.Has(events.SwitchOff) || e.Has(events.SwitchWake) { // or it has slept since before the attach
			c.countHandoff(t, e, wake, in)
		}
		c.countRelay(t, e, in, now)
		t.addRun(in, now, e.Has(events.SwitchPreempted))
	} else {
		t.relay = relay{}
		t.forgetResumes(now)
	}
	c.stopTurn(t, e, out, wake, in)
	c.locks.observeKind(t, uint8(e.Args[events.ArgLock]), now, !e.Has(events.SwitchPreempted))
	t.noteWait(e)
	if !c.cpus.add(e.CPU, in, now) {
		c.windows.breakLink()
	}
	c.windows.bans.lastOut = now
	t.lastOut, t.preempted = now, e.Has(events.SwitchPreempted)
	t.countAbsence()
	c.windows.countSwitchOut(t, e.CPU, max(in, 1), now)
	if e.Has(events.SwitchDead) {
		c.lastSwitchOut(t, now)
	}
}

// stateBefore is where a thread without history was from the first snapshot to the wake-up of its
// first turn. It was not on a CPU, for then its switch-out would have come first: its task's on_cpu
// outlasts a switch-out that was before the attach (kernel/sched/core.c, finish_task), for as long as
// the hypervisor keeps the CPU.
func (t *thread) stateBefore(e *events.Event) timeClass {
	switch {
	case t.state != classRun || t.lastOut != 0:
		return t.state
	case e.Has(events.SwitchWake):
		return classBlocked
	}
	return classUnknown
}

// noteWait notes whether the thread has left its CPU to wait for its locked goroutine, by the flags
// of a Switch or a Sum.
func (t *thread) noteWait(e *events.Event) {
	t.parked = e.Has(events.SwitchParked) && !e.Has(events.SwitchPreempted)
	t.lock.parked = t.parked
	if t.parked {
		t.awaited = lockedTo{t.lockKind(), t.lock.goid, t.lock.entry}
	}
}

// endAbsence ends an absence whose time is accounted.
func (c *Correlator) endAbsence(t *thread, first bool, out, wake, in events.Time) {
	if t.lastOut != 0 && t.lastOut != out {
		c.windows.breakLink() // records between were lost: what happened then is not known
	}
	c.samples.addAbsence(t, out, in)
	if first {
		c.firstRun(t, wake, in)
	}
}

// switchIn counts a switch-in once, though both a snapshot and the record of the turn may have it.
func (c *Correlator) switchIn(t *thread, e *events.Event, in events.Time) {
	if in <= t.lastIn {
		return
	}
	t.lastIn = in
	last := e.LastCPU()
	if last < 0 && t.createdAt == 0 && t.lastOut == 0 {
		last = t.firstCPU
	}
	if last < 0 || last == int(e.CPU) {
		return
	}
	w := c.windows.find(in, in)
	if w == nil {
		return
	}
	why := e.Args[events.ArgWhy]
	if why >= uint64(len(whyNames)) {
		why = 0
	}
	c.windows.share(w, t).migrations++
	w.moves.byWhy[why]++
	w.moves.byDistance[c.cfg.Distance(last, int(e.CPU))]++
}

// cpuTimes hold, by CPU, when the last known run of the target on it ended.
type cpuTimes []events.Time

// add adds a run. It is false when the run overlaps the one before on that CPU.
func (c *cpuTimes) add(cpu uint16, in, out events.Time) bool {
	if n := int(cpu) + 1 - len(*c); n > 0 {
		*c = append(*c, make([]events.Time, n)...)
	}
	joins := in >= (*c)[cpu] || in == out
	(*c)[cpu] = out
	return joins
}
