package correlate

import "github.com/pinwatch/pinwatch/events"

// run is one stretch of a thread's time on a CPU.
type run struct {
	in, out   events.Time
	preempted bool // it was still runnable when it ended
}

// ran remembers a run, so that what the thread did in it can be judged when another one's record tells of it.
func (t *thread) ran(in, out events.Time, preempted bool) {
	t.runs[t.runsNext] = run{in, out, preempted}
	t.runsNext = (t.runsNext + 1) % uint8(len(t.runs))
}

// until is when the thread left its CPU, of its own will, after it was on it at a moment.
func (t *thread) until(at events.Time) (out events.Time, ok bool) {
	for _, r := range t.runs {
		if r.in <= at && at <= r.out && r.in != 0 {
			return r.out, !r.preempted
		}
	}
	return 0, false
}

// handoff handles the waking of a locked thread for its goroutine: t waited in the scheduler and a thread of the target woke it
// (runtime.startlockedm). That thread has given its P away, so it leaves its CPU next (stopm): what it needs until then is paid for the
// hand-off alone. A waking before the switch-out counts from the switch-out.
func (c *Correlator) handoff(t *thread, waker uint32, woken, in events.Time) {
	if !t.parked || waker == 0 || waker == t.tid || lockedWord(t.lock.kind) != lockedTrue {
		return
	}
	of := Population{Locked: lockedTrue}
	c.record(&sample{phase: phaseHandoffWake, Population: of, begin: woken, end: in})
	cpu := int64(0)
	if w := c.threads[waker]; w != nil {
		if out, ok := w.until(woken); ok {
			c.record(&sample{phase: phaseHandoffCPU, Population: of, begin: woken, end: out})
			cpu = int64(out - woken)
		}
	}
	for _, w := range c.windows {
		if w.contains(in) {
			s := w.share(t)
			s.handoffs++
			s.handoffWake += int64(in - woken)
			s.handoffCPU += cpu
		}
	}
}

// park handles a Park: a locked thread leaves its CPU by itself for the first time since its goroutine was preempted.
func (c *Correlator) park(e *events.Event) {
	t := c.known(e.TID)
	if t.spans[spanResume].begin == 0 {
		return
	}
	if !onStack(c.cfg.Stack(e.Args[events.ArgStack]), []string{"stoplockedm"}) {
		t.spans[spanResume] = span{}
		return
	}
	t.parkedAt = e.Time
	c.begun(phaseResume, t.resumes, t.spans[spanResume].begin)
}

// resumed is a switch-in: of a thread that waited for its preempted goroutine, the end of that.
func (c *Correlator) resumed(t *thread, in events.Time) {
	if t.parkedAt == 0 || in <= t.parkedAt {
		return
	}
	s := t.close(spanResume, phaseResume, in)
	s.Population, s.anchor = t.resumes, s.begin
	t.parkedAt = 0
	c.complete(&s) // its time off the CPU is known: it ends with an absence
}
