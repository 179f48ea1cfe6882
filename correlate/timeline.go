package correlate

import (
	"cmp"

	"github.com/pinwatch/pinwatch/events"
)

// turn handles a Switch: the thread leaves its CPU now; out, wake and in lie behind it.
func (c *Correlator) turn(e *events.Event) {
	t := c.known(e.TID)
	now := e.Time
	in := now - events.Time(e.Args[events.ArgRunNS])
	wake := in - events.Time(e.Args[events.ArgRunqNS])
	out := wake - events.Time(e.Args[events.ArgBlockedNS])
	if t.deadAt != 0 {
		t = c.takeOver(t, out)
	}

	switch {
	case e.Has(events.SwitchRun | events.SwitchOff):
		c.accountTurn(t, out, wake, in, now)
		c.back(t, e.Has(events.SwitchFirst), out, wake, in)
		c.switchIn(t, e, in)
	case e.Has(events.SwitchRun):
		c.offCPU(t, t.accounted, in)
		c.account(t, t.state, t.accounted, wake)
		c.account(t, classRunq, wake, in)
		c.switchIn(t, e, in)
		c.account(t, classRun, in, now)
	case !e.Has(events.SwitchOff) && t.lastOut == 0 && t.createdAt == 0:
		c.ranOn(t, e.CPU, t.accounted, now)
		t.ran(t.accounted, now, e.Has(events.SwitchPreempted))
		c.account(t, classRun, t.accounted, now) // has run since before the programs did
	default: // its switch-in was not traced: when its wait ended and its run began is not known
		c.brokenLink()
		c.account(t, classBlocked, t.lastOut, t.lastOut+events.Time(e.Args[events.ArgBlockedNS]))
		c.account(t, classUnknown, t.accounted, now)
		c.offUnknown(t, now)
		c.switchIn(t, e, now) // a run never changes its CPU, so where it began is known
	}
	if e.Has(events.SwitchRun) {
		c.resumed(t, in)
		if e.Has(events.SwitchOff) {
			c.handoff(t, e, wake, in)
		}
		t.ran(in, now, e.Has(events.SwitchPreempted))
	} else {
		t.notResumed(now)
	}
	c.observedAs(t, uint8(e.Args[events.ArgLock]), now, !e.Has(events.SwitchPreempted))
	c.waits(t, e)
	c.runOn(e.CPU, in, now)
	t.lastOut, t.preempted = now, e.Has(events.SwitchPreempted)
	t.switchedOut()
	c.left(t, e.CPU, max(in, 1), now)
	if e.Has(events.SwitchDead) {
		c.dead(t, now)
	}
}

// waits notes whether the thread has left its CPU to wait for its locked goroutine, as the flags of a Switch or a Sum say.
func (c *Correlator) waits(t *thread, e *events.Event) {
	t.parked = e.Has(events.SwitchParked) && !e.Has(events.SwitchPreempted)
	t.lock.parked = t.parked
	if t.parked {
		t.waiter = waiter{t.lockKind(), t.lock.goid, t.lock.entry}
	}
}

// away accounts a whole absence: blocked from out to wake, waiting for a CPU from wake to in.
func (c *Correlator) away(t *thread, first bool, out, wake, in events.Time) {
	c.accountTurn(t, out, wake, in, in)
	c.back(t, first, out, wake, in)
}

// back is the end of an absence that has been accounted.
func (c *Correlator) back(t *thread, first bool, out, wake, in events.Time) {
	if t.lastOut != 0 && t.lastOut != out {
		c.brokenLink() // records between were lost: what happened then is not known
	}
	c.offCPU(t, out, in)
	if first {
		c.firstRun(t, wake, in)
	}
}

// thread handles a Thread: the state of one thread at this moment, as the snapshot found it.
func (c *Correlator) thread(e *events.Event) {
	if e.Has(events.ThreadExited) {
		return
	}
	t := c.threads.get(e.TID)
	if t != nil && t.deadAt != 0 {
		return // looked at between its last switch-out and its end
	}
	if t == nil {
		t = c.known(e.TID)
	}
	if t.accounted == 0 { // first sight of a thread that lived before, or whose birth was lost
		if c.seeded {
			c.account(t, classUnknown, 0, e.Time)
		}
		t.accounted, t.state, t.seedCPU = e.Time, seenState(e), int(e.CPU)
	}
	t.nsTID = int32(e.Args[events.ArgNSTID])
	t.name = e.Name()
	if c.cfg.Aggregate && events.Time(e.Args[events.ArgOff]) >= c.boundary {
		return // its turn across the boundary is told, and the one that it is in will be with the sums
	}
	c.snapshotTurn(t, e)
}

// snapshotTurn accounts the turn that a thread is in the middle of. The kernel reads the clock first, so whatever the record
// says of later is not looked at: it comes again.
func (c *Correlator) snapshotTurn(t *thread, e *events.Event) {
	now := e.Time
	out, wake, in := events.Time(e.Args[events.ArgOff]), events.Time(e.Args[events.ArgWake]), events.Time(e.Args[events.ArgRun])
	if out > now {
		return
	}
	if wake > now {
		wake = 0
	}
	if in > now {
		in = 0
	}
	running := in != 0 && in >= out
	until := now
	if running {
		until = in
	}
	switch {
	case out != 0 && !running && e.Has(events.ThreadOnCPU): // just being switched, or its switch-in was not traced
		c.account(t, classBlocked, out, wake)
		c.account(t, classUnknown, t.accounted, now)
		c.offUnknown(t, now)
	case out != 0 && e.Has(events.ThreadOffRunnable):
		c.away(t, false, out, out, until)
	case out != 0 && wake > out:
		c.away(t, e.Has(events.ThreadNew) && running, out, min(wake, until), until)
	case out != 0 && running:
		c.away(t, false, out, out, until) // woken before it had left
	case out != 0:
		c.away(t, false, out, now, now)
	case running || t.state != classRun:
		c.offCPU(t, t.accounted, until)
		c.account(t, t.state, t.accounted, cmp.Or(wake, until))
		c.account(t, classRunq, t.accounted, until)
	default: // has run since before the programs did
		c.offCPU(t, now, now)
		c.ranOn(t, e.CPU, t.accounted, now)
		c.account(t, classRun, t.accounted, now)
	}
	if running {
		c.switchIn(t, e, in)
		c.ranOn(t, e.CPU, in, now)
		c.account(t, classRun, in, now)
	}
}

// unlisted accounts, up to the end of a window, the threads that live and that the snapshot after it did not find. One that is
// past sched_process_exit has left the kernel's lists (release_task) but may be preempted once more before its last
// switch-out; of any other, records were lost.
func (c *Correlator) unlisted(end events.Time) {
	for t := range c.threads.all {
		if t.deadAt != 0 || t.accounted == 0 || t.accounted >= end {
			continue
		}
		class := classUnknown
		if t.preempted && t.ending != 0 && t.ending <= t.lastOut {
			class = classRunq
		}
		c.account(t, class, t.accounted, end)
	}
}

func seenState(e *events.Event) timeClass {
	switch {
	case e.Has(events.ThreadOnCPU):
		return classRun
	case e.Has(events.ThreadRunnable):
		return classRunq
	}
	return classBlocked
}

// switchIn looks at one switch-in once, however often it is reported (by a snapshot and by the turn's own record).
func (c *Correlator) switchIn(t *thread, e *events.Event, at events.Time) {
	if at <= t.lastIn {
		return
	}
	t.lastIn = at
	last := e.LastCPU()
	if last < 0 && t.createdAt == 0 && t.lastOut == 0 {
		last = t.seedCPU
	}
	if last < 0 || last == int(e.CPU) {
		return
	}
	w := c.inner(at, at)
	if w == nil {
		return
	}
	why := e.Args[events.ArgWhy]
	if why >= uint64(len(whyNames)) {
		why = 0
	}
	c.share(w, t).migrations++
	w.moves.byWhy[why]++
	w.moves.byDistance[c.cfg.Distance(last, int(e.CPU))]++
}

// Names of enum migrate_why in bpf/event.h.
var whyNames = [...]string{"unknown", whyWakeup: "wakeup", "balance", "affinity"}

const whyWakeup = 1

// runOn checks that the CPU ran nothing else of the target meanwhile.
func (c *Correlator) runOn(cpu uint16, from, to events.Time) {
	if n := int(cpu) + 1 - len(c.cpuFree); n > 0 {
		c.cpuFree = append(c.cpuFree, make([]events.Time, n)...)
	}
	if from < c.cpuFree[cpu] && from != to {
		c.brokenLink()
	}
	c.cpuFree[cpu] = to
}

// accountTurn accounts an absence and the run after it, which ends now.
func (c *Correlator) accountTurn(t *thread, out, wake, in, now events.Time) {
	if out != t.accounted || out < c.boundary || c.open == nil || out > wake || wake > in || in > now {
		c.account(t, classUnknown, t.accounted, out)
		c.account(t, classBlocked, out, wake)
		c.account(t, classRunq, wake, in)
		c.account(t, classRun, in, now)
		return
	}
	t.accounted = now
	s := c.share(c.open, t) // as nearly always: nothing lies between this turn and the one before, and no boundary in it
	s.time[classBlocked] += int64(wake - out)
	s.time[classRunq] += int64(in - wake)
	s.time[classRun] += int64(now - in)
}

// account attributes [from, to) of a thread's time, as far as nothing has been attributed there before.
func (c *Correlator) account(t *thread, class timeClass, from, to events.Time) {
	from = max(from, t.accounted)
	if to <= from {
		return
	}
	t.accounted = to
	switch {
	case from < c.boundary:
		c.accountAcross(t, class, from, to)
	case c.open != nil:
		c.share(c.open, t).time[class] += int64(to - from)
	}
}

func (c *Correlator) ranOn(t *thread, cpu uint16, from, to events.Time) {
	if from >= c.boundary {
		if c.open != nil && to > from {
			c.share(c.open, t).cpus.add(cpu)
		}
		return
	}
	for _, w := range c.windows {
		if overlap(from, to, w.start, w.until()) > 0 {
			c.share(w, t).cpus.add(cpu)
		}
	}
}

// left counts a switch-out, after a run on a CPU from in to now.
func (c *Correlator) left(t *thread, cpu uint16, in, now events.Time) {
	w := c.inner(now, now)
	if w == nil {
		return
	}
	s := c.share(w, t)
	s.switches++
	if in >= c.boundary && in < now {
		s.cpus.add(cpu)
	} else {
		c.ranOn(t, cpu, in, now)
	}
}
