package correlate

import "github.com/pinwatch/pinwatch/events"

// sums are the last values of a thread's Sum and SumLock events. Each value counts from the
// thread's begin, so only differences count, and an event that comes twice adds nothing.
type sums struct {
	switches, migrations, run, runq, blocked uint64
	checks, handoffs, wake, cpu              uint64
}

// sum handles a Sum: turns that were not sent one by one, the last of them until a moment. They
// join the turn before, and lie in one window: the kernel side sends them whenever a window begins
// or ends.
func (c *Correlator) sum(e *events.Event) {
	t := c.threadOf(e.TID)
	last, now := t.sums, t.sums
	now.switches, now.migrations = e.Args[events.ArgSwitches], e.Args[events.ArgMigrations]
	now.run, now.runq, now.blocked = e.Args[events.ArgSumRun], e.Args[events.ArgSumRunq], e.Args[events.ArgSumBlocked]
	t.sums = now
	end := events.Time(e.Args[events.ArgUntil])
	if now.switches < last.switches { // a thread whose birth was not sent, under the tid of another
		last = sums{}
	}
	if now.switches == last.switches || end <= t.lastOut || t.deadAt != 0 {
		return
	}
	parts := [classCount]int64{classRun: int64(now.run - last.run), classRunq: int64(now.runq - last.runq),
		classBlocked: int64(now.blocked - last.blocked)}
	begin := end - events.Time(parts[classRun]+parts[classRunq]+parts[classBlocked])
	t.spoilBefore(end)
	c.windows.accountSum(t, begin, end, parts)
	if w := c.windows.find(end, end); w != nil {
		s := c.windows.share(w, t)
		s.switches += now.switches - last.switches
		s.migrations += now.migrations - last.migrations
	}
	t.forgetResumes(end)
	t.lastOut, t.lastIn, t.offUntil = end, max(t.lastIn, end), max(t.offUntil, end)
	t.preempted = e.Has(events.SwitchPreempted)
	t.noteWait(e)
}

// sumLock handles a SumLock: what the turns of the Sum after it showed of the thread's lock, which
// was the one last sent all the time.
func (c *Correlator) sumLock(e *events.Event) {
	t := c.threadOf(e.TID)
	last := t.sums
	t.sums.checks, t.sums.handoffs = e.Args[events.ArgChecks], e.Args[events.ArgHandoffs]
	t.sums.wake, t.sums.cpu = e.Args[events.ArgWakeNS], e.Args[events.ArgCPUNS]
	if t.deadAt != 0 {
		return
	}
	end := events.Time(e.Args[events.ArgUntil])
	if t.sums.checks < last.checks {
		last = sums{}
	}
	if n := t.sums.checks - last.checks; n > 0 {
		c.locks.observeTimes(t, max(t.lock.seen, end-events.LockAge), e.Flags != 0, n)
	}
	n := t.sums.handoffs - last.handoffs
	w := c.windows.find(end, end)
	if n == 0 && t.sums.cpu == last.cpu || w == nil {
		return
	}
	t.awaited = lockedTo{t.lockKind(), t.lock.goid, t.lock.entry}
	c.windows.addHandoffs(w, t,
		&Handoff{N: n, WakeNS: int64(t.sums.wake - last.wake), CPUNS: int64(t.sums.cpu - last.cpu)})
}

// samplePhases are the phases whose samples the kernel side adds up, by the flags of their events.
var samplePhases = [...]phase{events.SampleWake: phaseHandoffWake, events.SampleCPU: phaseHandoffCPU}

// sampleRow returns the row of the samples that the kernel side added up; nil outside all windows.
func (c *Correlator) sampleRow(e *events.Event) *cost {
	w := c.windows.find(e.Time, e.Time)
	if w == nil || int(e.Flags) >= len(samplePhases) {
		return nil
	}
	return w.costs[samplePhases[e.Flags]].row(partTrue)
}

// sampleTotal handles a SampleTotal: the SampleBuckets after it hold the distribution.
func (c *Correlator) sampleTotal(e *events.Event) {
	if k := c.sampleRow(e); k != nil {
		n := e.Args[events.ArgSamples]
		k.n += n
		k.summed = true
		k.hist.AddSummary(int64(n), float64(e.Args[events.ArgSampleSum]),
			int64(e.Args[events.ArgSampleLeast]), int64(e.Args[events.ArgSampleMost]))
	}
}

func (c *Correlator) sampleBucket(e *events.Event) {
	if k := c.sampleRow(e); k != nil {
		k.hist.AddBucket(int64(e.Args[events.ArgBucket]), int64(e.Args[events.ArgBucketCount]))
	}
}

// move handles a Move: migrations of turns that were not sent.
func (c *Correlator) move(e *events.Event) {
	w, why, distance := c.windows.find(e.Time, e.Time), e.Args[events.ArgMoveWhy], e.Args[events.ArgMoveDistance]
	if w == nil || why >= uint64(len(whyNames)) || distance >= uint64(len(events.Distances)) {
		return
	}
	n := e.Args[events.ArgMoveCount]
	w.moves.byWhy[why] += n
	w.moves.byDistance[events.Distances[distance]] += n
}
