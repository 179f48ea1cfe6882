package correlate

import "github.com/pinwatch/pinwatch/events"

// thread is one OS thread of the target, from its birth or the first sight of it until the kernel frees it.
type thread struct {
	tid       uint32
	nsTID     int32
	name      string
	createdBy int32

	// Birth. createdAt is 0 for threads that lived before.
	createdAt, cloneEnter, firstIn, ready events.Time
	altstack                              bool // sigaltstack has been called since birth
	clone3                                bool
	byGo                                  bool // the runtime made it: its parent had SIGURG blocked (newosproc, _cgo_sys_thread_start)

	// As a parent: the clone in progress.
	child *thread

	// Death.
	maskedAt, mexit, exitEnter, deadAt events.Time
	ending                             events.Time // sched_process_exit: soon after, the kernel lists it no more

	// The M, its lock and who is behind the thread's birth and end.
	m            mIdentity
	lock         lock
	unknown      bool // the last look at the lock proved nothing
	told         lock // as the thread itself told last
	atEnd        lockAtEnd
	pins         pins       // seen by the probe
	counted      bool       // in Correlator.locked
	holderBefore uint64     // the goroutine that held it before the present one
	born         Population // of what its creation cost
	createdFor   class
	clonedFrom   uint64     // as a parent: the stack of the clone in progress
	end          Population // of what its end costs

	// The locked goroutine was preempted by injection, and its thread has not run since it waited for it in the scheduler. The one
	// before: it has run since, as it is preempted again, and its turn will tell from when on.
	resume, lastResume resume
	parked             bool   // its goroutine did not run at lastOut
	waiter             waiter // which that was
	runs               [4]run // its last ones
	runsNext           uint8

	// SIGURG under way to this thread, and in its handler.
	pending, handling *signal
	// SIGURG this thread is sending.
	sending *signal

	// Time line: all time up to accounted is attributed.
	accounted events.Time
	lastOut   events.Time // the last switch-out known
	offUntil  events.Time // absences up to here have been told to the spans
	lastIn    events.Time // switch-ins up to here have been looked at for migration
	preempted bool        // it was still runnable at lastOut
	state     timeClass   // where a thread without history was when it was first seen
	seedCPU   int         // and on which CPU; -1 = not known

	spans    [spanCount]span
	deferred []sample

	shares [maxWindows]share
}

// timeClass is what a thread's time was spent on.
type timeClass uint8

const (
	classUnknown timeClass = iota
	classRun
	classRunq
	classBlocked
)

// span is an interval on one thread that has begun.
type span struct {
	begin events.Time // 0 = none
	off   int64       // ns off the CPU in it so far
	outs  uint32      // switch-outs in it so far
	vague bool        // it holds an absence of unknown length
}

type spanKind uint8

const (
	spanClone spanKind = iota
	spanStart
	spanMexit
	spanExit
	spanTgkill
	spanDeliver
	spanHandler
	spanResume
	spanLastResume
	spanCount
)

func (t *thread) open(k spanKind, at events.Time) { t.spans[k] = span{begin: at} }

// close ends a span and returns it as a sample of phase p. Whether the thread was off the CPU inside a span is only known
// for sure when the turn that contains its end is complete, so a sample with a switch-out inside waits in deferred.
func (t *thread) close(k spanKind, p phase, at events.Time) sample {
	s := t.spans[k]
	t.spans[k] = span{}
	return sample{phase: p, begin: s.begin, end: at, off: s.off, outs: s.outs, vague: s.vague}
}

// finish records the sample, now or when the thread's present turn is known.
func (c *Correlator) finish(t *thread, s sample) {
	if s.outs > 0 && t.deadAt == 0 {
		t.deferred = append(t.deferred, s)
		return
	}
	c.complete(&s)
}

// complete takes a sample that nothing can change any more.
func (c *Correlator) complete(s *sample) {
	c.record(s)
	if s.sending != nil {
		s.sending.send, s.sending.sent = *s, true
		c.kernelBounds(s.sending)
	}
}

// offCPU tells a thread's open and waiting intervals that it was off its CPU in [from, to).
func (c *Correlator) offCPU(t *thread, from, to events.Time) {
	from = max(from, t.offUntil) // a snapshot may have told a part already
	t.offUntil = max(t.offUntil, to)
	for i := range t.spans {
		if s := &t.spans[i]; s.begin != 0 {
			s.off += overlap(from, to, s.begin, to)
		}
	}
	for i := range t.deferred {
		s := &t.deferred[i]
		s.off += overlap(from, to, s.begin, s.end)
		c.complete(s)
	}
	t.deferred = t.deferred[:0]
}

// offUnknown is offCPU for an absence that ended nobody knows when, but before to.
func (c *Correlator) offUnknown(t *thread, to events.Time) {
	for i := range t.spans {
		t.spans[i].vague = true
	}
	for i := range t.deferred {
		t.deferred[i].vague = true
	}
	c.offCPU(t, to, to)
}

// switchedOut tells a thread's open intervals that it has left its CPU.
func (t *thread) switchedOut() {
	for i := range t.spans {
		if t.spans[i].begin != 0 {
			t.spans[i].outs++
		}
	}
}

// overlap is the length of [a,b) ∩ [c,d).
func overlap(a, b, c, d events.Time) int64 { return max(0, int64(min(b, d)-max(a, c))) }
