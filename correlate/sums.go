package correlate

import "github.com/pinwatch/pinwatch/events"

// sums are what a thread's Sum and SumLock events last said: each holds all since the thread began, so the difference is what is new, and
// one that is told twice adds nothing.
type sums struct {
	switches, migrations, run, runq, blocked uint64
	looks, handoffs, wake, cpu               uint64
}

// sum handles a Sum: turns that were not sent one by one, the last of them until a moment. They join the turn before, and lie in one
// window: the kernel side tells them whenever a window begins or ends.
func (c *Correlator) sum(e *events.Event) {
	t := c.known(e.TID)
	last, now := t.sums, t.sums
	now.switches, now.migrations = e.Args[events.ArgSwitches], e.Args[events.ArgMigrations]
	now.run, now.runq, now.blocked = e.Args[events.ArgSumRun], e.Args[events.ArgSumRunq], e.Args[events.ArgSumBlocked]
	t.sums = now
	until := events.Time(e.Args[events.ArgUntil])
	if now.switches < last.switches { // a thread whose birth was not told, under a tid that was another's
		last = sums{}
	}
	if now.switches == last.switches || until <= t.lastOut || t.deadAt != 0 {
		return
	}
	parts := [...]int64{classRun: int64(now.run - last.run), classRunq: int64(now.runq - last.runq), classBlocked: int64(now.blocked - last.blocked)}
	from := until - events.Time(parts[classRun]+parts[classRunq]+parts[classBlocked])
	t.offUnknownBefore(until)
	c.accountSum(t, from, until, parts)
	if w := c.inner(until, until); w != nil {
		s := c.share(w, t)
		s.switches += now.switches - last.switches
		s.migrations += now.migrations - last.migrations
	}
	t.notResumed(until)
	t.lastOut, t.lastIn, t.offUntil = until, max(t.lastIn, until), max(t.offUntil, until)
	t.preempted = e.Has(events.SwitchPreempted)
	c.waits(t, e)
}

// accountSum attributes [from, until) of a thread's time, the parts of which are known but not their order.
func (c *Correlator) accountSum(t *thread, from, until events.Time, parts [4]int64) {
	switch w := c.inner(until, until); {
	case w == nil:
		c.account(t, classUnknown, t.accounted, until)
	case from != t.accounted || from < w.start:
		c.brokenLink()
		c.account(t, classUnknown, t.accounted, until)
	default:
		t.accounted = until
		s := c.share(w, t)
		for class, ns := range parts {
			s.time[class] += ns
		}
	}
}

// sumLock handles a SumLock: what the turns of the Sum behind it showed of the thread's lock, which was the one last told all the time.
func (c *Correlator) sumLock(e *events.Event) {
	t := c.known(e.TID)
	last := t.sums
	t.sums.looks, t.sums.handoffs = e.Args[events.ArgLooks], e.Args[events.ArgHandoffs]
	t.sums.wake, t.sums.cpu = e.Args[events.ArgWakeNS], e.Args[events.ArgCPUNS]
	if t.deadAt != 0 {
		return
	}
	until := events.Time(e.Args[events.ArgUntil])
	if t.sums.looks < last.looks {
		last = sums{}
	}
	if n := t.sums.looks - last.looks; n > 0 {
		c.observedTimes(t, max(t.lock.seen, until-events.LockAge), e.Flags != 0, n)
	}
	n := t.sums.handoffs - last.handoffs
	w := c.inner(until, until)
	if n == 0 && t.sums.cpu == last.cpu || w == nil {
		return
	}
	t.waiter = waiter{t.lockKind(), t.lock.goid, t.lock.entry}
	c.handedOff(w, t, &Handoff{N: n, WakeNS: int64(t.sums.wake - last.wake), CPUNS: int64(t.sums.cpu - last.cpu)})
}

// samplePhases are the phases that the kernel side adds up samples of, by the flags of their events.
var samplePhases = [...]phase{events.SampleWake: phaseHandoffWake, events.SampleCPU: phaseHandoffCPU}

func (c *Correlator) samples(e *events.Event) *cost {
	w := c.inner(e.Time, e.Time)
	if w == nil || int(e.Flags) >= len(samplePhases) {
		return nil
	}
	return w.costs[samplePhases[e.Flags]].at(partTrue)
}

// sampleTotal handles a SampleTotal: the SampleBuckets behind it say how its samples are distributed.
func (c *Correlator) sampleTotal(e *events.Event) {
	if k := c.samples(e); k != nil {
		n := e.Args[events.ArgSamples]
		k.n += n
		k.summed = true
		k.hist.AddSummary(int64(n), float64(e.Args[events.ArgSampleSum]), int64(e.Args[events.ArgSampleLeast]), int64(e.Args[events.ArgSampleMost]))
	}
}

func (c *Correlator) sampleBucket(e *events.Event) {
	if k := c.samples(e); k != nil {
		k.hist.AddBucket(int64(e.Args[events.ArgBucket]), int64(e.Args[events.ArgBucketCount]))
	}
}

// move handles a Move: migrations of turns that were not sent.
func (c *Correlator) move(e *events.Event) {
	w, why := c.inner(e.Time, e.Time), e.Args[events.ArgMoveWhy]
	if w == nil || why >= uint64(len(whyNames)) {
		return
	}
	n := e.Args[events.ArgMoveCount]
	w.moves.byWhy[why] += n
	w.moves.byDistance[c.cfg.Distance(int(e.Args[events.ArgMoveFrom]), int(e.Args[events.ArgMoveTo]))] += n
}
