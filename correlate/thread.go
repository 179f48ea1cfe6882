package correlate

import (
	"math/bits"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// thread is one OS thread of the target, from its birth or the first sight of it until the kernel frees it.
type thread struct {
	// What every turn looks at is side by side, and the rest elsewhere: no cache holds 10,000 threads.

	tid   uint32
	nsTID int32

	// Time line: all time up to accounted is attributed.
	accounted events.Time
	lastOut   events.Time // the last switch-out known
	offUntil  events.Time // absences up to here have been told to the spans
	lastIn    events.Time // switch-ins up to here have been looked at for migration
	deadAt    events.Time // the last switch-out of all
	begun     uint16      // bits of the spans that have begun
	preempted bool        // it was still runnable at lastOut
	parked    bool        // its goroutine did not run at lastOut
	unknown   bool        // the last look at the lock proved nothing
	counted   bool        // in Correlator.locked
	runsNext  uint8
	state     timeClass // where a thread without history was when it was first seen

	deferred []sample
	pins     pins // seen by the probe
	lock     lock
	told     lock   // as the thread itself told last
	runs     [4]run // its last ones
	waiter   waiter // the goroutine that did not run at lastOut
	shares   [maxWindows]share

	*threadLife
}

// threadLife is what is asked for when a thread does more than come and go on its CPU.
type threadLife struct {
	woken [maxWindows]woken // as shares
	sums  sums

	// Birth. createdAt is 0 for threads that lived before.
	createdAt, cloneEnter, firstIn, ready events.Time
	createdBy                             int32
	seedCPU                               int   // of one that lived before: where it was when it was first seen; -1 = not known
	born                                  group // of what its creation cost
	altstack                              bool  // sigaltstack has been called since birth
	byGo                                  bool  // the runtime made it: its parent had SIGURG blocked (newosproc, _cgo_sys_thread_start)
	createdFor                            *reason
	name                                  string

	// As a parent: the clone in progress.
	child      child
	clonedFrom uint64 // its stack

	// Death.
	maskedAt, mexit, exitEnter events.Time
	ending                     events.Time // sched_process_exit: soon after, the kernel lists it no more
	end                        group       // of what its end costs

	// The M, and its lock.
	m            mIdentity
	atEnd        lockAtEnd
	holderBefore uint64 // the goroutine that held it before the present one

	// The locked goroutine was preempted by injection, and its thread has not run since it waited for it in the scheduler. The one
	// before: it has run since, as it is preempted again, and its turn will tell from when on.
	resume, lastResume resume

	// SIGURG under way to this thread, and in its handler.
	pending, handling *signal
	// SIGURG this thread is sending.
	sending *signal

	spans [spanCount]span
}

// child is the thread that a clone in progress has made.
type child struct {
	createdAt events.Time // 0 = none yet
	born      group
}

// maxUnused is how many threads wait for being used again, at most: those that one pass of forgetEnded lets go.
const maxUnused = forgetFrom * MaxEndedThreads

// newThread takes one that is forgotten where there is one: threads may come and go faster than everything else happens.
func (c *Correlator) newThread(tid uint32, nsTID int32) *thread {
	last := len(c.unused) - 1
	if last < 0 {
		return &thread{tid: tid, nsTID: nsTID, threadLife: &threadLife{seedCPU: -1}}
	}
	t := c.unused[last]
	c.unused = c.unused[:last]
	*t.threadLife = threadLife{seedCPU: -1}
	*t = thread{tid: tid, nsTID: nsTID, deferred: t.deferred[:0], threadLife: t.threadLife}
	return t
}

// unuse lets a thread that is not known by its tid any more be used again, if no window has a share of it.
func (c *Correlator) unuse(t *thread) {
	if len(c.unused) < maxUnused && !slices.ContainsFunc(c.windows, t.hasShare) {
		c.unused = append(c.unused, t)
	}
}

func (t *thread) hasShare(w *window) bool { return t.shares[w.slot].window == w.id }

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
	outs  uint32      // times off the CPU in it so far
	away  bool        // the first of these had begun before, or may have
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

func (t *thread) open(k spanKind, at events.Time) {
	t.spans[k] = span{begin: at}
	t.begun |= 1 << k
}

// drop forgets a span.
func (t *thread) drop(k spanKind) {
	t.spans[k] = span{}
	t.begun &^= 1 << k
}

// move has a span replace another one.
func (t *thread) move(to, from spanKind) {
	s := t.spans[from]
	t.drop(from)
	t.open(to, s.begin)
	t.spans[to] = s
}

// opened are the spans that have begun.
func (t *thread) opened(yield func(*span) bool) {
	for rest := t.begun; rest != 0; rest &= rest - 1 {
		if !yield(&t.spans[bits.TrailingZeros16(rest)]) {
			return
		}
	}
}

// close ends a span and returns it as a sample of phase p. Whether the thread was off the CPU inside a span is only known
// for sure when the turn that contains its end is complete, so a sample with a switch-out inside waits in deferred.
func (t *thread) close(k spanKind, p phase, at events.Time) sample {
	s := t.spans[k]
	t.drop(k)
	return sample{phase: p, begin: s.begin, end: at, off: s.off, outs: s.outs, away: s.away, vague: s.vague}
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
		c.letGo(&s.sending)
	}
}

// offCPU tells a thread's open and waiting intervals that it was off its CPU in [from, to).
func (c *Correlator) offCPU(t *thread, from, to events.Time) {
	from = max(from, t.offUntil) // a snapshot may have told a part already
	t.offUntil = max(t.offUntil, to)
	for s := range t.opened {
		s.off += overlap(from, to, s.begin, to)
	}
	if len(t.deferred) == 0 {
		return
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
	for s := range t.opened {
		s.vague = true
	}
	for i := range t.deferred {
		t.deferred[i].vague = true
	}
	c.offCPU(t, to, to)
}

// offUnknownBefore is for absences up to a moment of which only the sum is known: what began before it may hold some.
func (t *thread) offUnknownBefore(until events.Time) {
	for s := range t.opened {
		s.vague = s.vague || s.begin < until
	}
	for i := range t.deferred {
		d := &t.deferred[i]
		d.vague = d.vague || d.begin < until
	}
}

// switchedOut tells a thread's open intervals that it has left its CPU.
func (t *thread) switchedOut() {
	for s := range t.opened {
		s.outs++
	}
}

// overlap is the length of [a,b) ∩ [c,d).
func overlap(a, b, c, d events.Time) int64 { return max(0, int64(min(b, d)-max(a, c))) }
