package correlate

import (
	"cmp"

	"github.com/pinwatch/pinwatch/events"
)

// thread handles a Thread: the state of one thread at this moment, as the snapshot found it.
func (c *Correlator) thread(e *events.Event) {
	if e.Has(events.ThreadExited) {
		return
	}
	t := c.threads.get(e.TID)
	if t != nil && t.deadAt != 0 {
		return // the snapshot came between its last switch-out and its end
	}
	if t == nil {
		if c.sleepers.list(e, !c.started && c.threads.n >= c.sleepers.from) {
			return
		}
		t = c.threadOf(e.TID)
	}
	if t.accounted == 0 { // the first event of a thread that lived before, or whose birth was lost
		if c.started {
			c.windows.account(t, classUnknown, 0, e.Time)
		}
		t.accounted, t.state, t.firstCPU = e.Time, snapshotState(e), int(e.CPU)
	}
	if e.Has(events.ThreadIOWorker) {
		c.locks.setIOWorker(t)
	}
	t.nsTID = int32(e.Args[events.ArgNSTID])
	t.name = e.Name()
	if c.cfg.Aggregate && events.Time(e.Args[events.ArgOff]) >= c.windows.boundary {
		return // its turn across the boundary has been sent, and its present turn will be with the sums
	}
	c.snapshotTurn(t, e)
}

// snapshotTurn accounts the turn that a thread is in the middle of. The kernel reads the clock
// before the state, so the record may contain later times. They are left out here: the record of
// the turn has them again.
func (c *Correlator) snapshotTurn(t *thread, e *events.Event) {
	now := e.Time
	out, in := events.Time(e.Args[events.ArgOff]), events.Time(e.Args[events.ArgRun])
	wake := events.Time(e.Args[events.ArgWake])
	if out > now {
		return
	}
	if e.Has(events.ThreadUntracked) { // its switches were not recorded
		c.windows.account(t, classUnknown, t.accounted, now)
		c.samples.addUnknownAbsence(t, now)
		t.state = classUnknown
		return
	}
	if wake > now {
		wake = 0
	}
	if in > now {
		in = 0
	}
	running := in != 0 && in >= out
	end := now // of the absence, so far
	if running {
		end = in
	}
	switch {
	case out != 0 && !running && e.Has(events.ThreadOnCPU): // just being switched, or its switch-in was not traced
		c.windows.account(t, classBlocked, out, wake)
		c.windows.account(t, classUnknown, t.accounted, now)
		c.samples.addUnknownAbsence(t, now)
	case out != 0 && e.Has(events.ThreadOffRunnable):
		c.addAbsence(t, e.CPU, false, out, out, end)
	case out != 0 && wake > out:
		c.windows.endPause(out, wake)
		c.addAbsence(t, e.CPU, e.Has(events.ThreadNew) && running, out, min(wake, end), end)
	case out != 0 && running:
		c.addAbsence(t, e.CPU, false, out, out, end) // woken before it had left
	case out != 0:
		c.addAbsence(t, e.CPU, false, out, now, now)
	case running || t.state != classRun:
		c.samples.addAbsence(t, t.accounted, end)
		if wake != 0 {
			c.windows.endPause(0, wake)
		}
		c.windows.accountOff(t, t.state, e.CPU, 0, cmp.Or(wake, end))
		c.windows.accountOff(t, classRunq, e.CPU, cmp.Or(wake, end), end)
	default: // it has run since before the programs did
		c.samples.addAbsence(t, now, now)
		c.windows.addCPU(t, e.CPU, t.accounted, now)
		c.windows.account(t, classRun, t.accounted, now)
	}
	if running {
		c.switchIn(t, e, in)
		c.windows.addCPU(t, e.CPU, in, now)
		c.windows.account(t, classRun, in, now)
	}
}

// addAbsence accounts and ends an absence: blocked from out to wake, waiting for a CPU from wake to
// in.
func (c *Correlator) addAbsence(t *thread, cpu uint16, first bool, out, wake, in events.Time) {
	c.windows.accountTurn(t, cpu, out, wake, in, in)
	c.endAbsence(t, first, out, wake, in)
}

// accountUnlisted accounts, up to the end of a window, the living threads that the snapshot after
// it did not find. One that is past sched_process_exit has left the kernel's lists (release_task)
// but may be preempted once more before its last switch-out; of any other, records were lost.
func (c *Correlator) accountUnlisted(end events.Time) {
	for t := range c.threads.all {
		if t.deadAt != 0 || t.accounted == 0 || t.accounted >= end {
			continue
		}
		class := classUnknown
		if t.preempted && t.ending != 0 && t.ending <= t.lastOut {
			class = classRunq
		}
		c.windows.account(t, class, t.accounted, end)
	}
}

func snapshotState(e *events.Event) timeClass {
	switch {
	case e.Has(events.ThreadOnCPU):
		return classRun
	case e.Has(events.ThreadRunnable):
		return classRunq
	}
	return classBlocked
}
