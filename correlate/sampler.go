package correlate

import (
	"math/bits"

	"github.com/pinwatch/pinwatch/events"
)

// span is an interval on one thread that has begun.
type span struct {
	begin      events.Time // 0 = none
	off        int64       // ns off the CPU in it so far
	outs       uint32      // absences in it so far
	offAtStart bool        // the first of these had begun before the span, or may have
	offUnknown bool        // it holds an absence of unknown length
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

func (t *thread) openSpan(k spanKind, begin events.Time) {
	t.spans[k] = span{begin: begin}
	t.begun |= 1 << k
}

func (t *thread) dropSpan(k spanKind) {
	t.spans[k] = span{}
	t.begun &^= 1 << k
}

// renameSpan gives a span another kind, in place of the span of that kind.
func (t *thread) renameSpan(from, to spanKind) {
	s := t.spans[from]
	t.dropSpan(from)
	t.openSpan(to, s.begin)
	t.spans[to] = s
}

// openSpans visits the spans that have begun.
func (t *thread) openSpans(yield func(*span) bool) {
	for rest := t.begun; rest != 0; rest &= rest - 1 {
		if !yield(&t.spans[bits.TrailingZeros16(rest)]) {
			return
		}
	}
}

// closeSpan ends a span and returns it as a sample of a phase.
func (t *thread) closeSpan(k spanKind, p phase, end events.Time) sample {
	s := t.spans[k]
	t.dropSpan(k)
	return sample{phase: p, begin: s.begin, end: end, off: s.off, outs: s.outs,
		offAtStart: s.offAtStart, offUnknown: s.offUnknown}
}

// countAbsence notes in the open spans that the thread has left its CPU.
func (t *thread) countAbsence() {
	for s := range t.openSpans {
		s.outs++
	}
}

// spoilBefore marks the intervals that began before a moment: they may hold a part of absences of
// which only the sum is known.
func (t *thread) spoilBefore(moment events.Time) {
	for s := range t.openSpans {
		s.offUnknown = s.offUnknown || s.begin < moment
	}
	for i := range t.deferred {
		d := &t.deferred[i]
		d.offUnknown = d.offUnknown || d.begin < moment
	}
}

// overlap returns the length of [a,b) ∩ [c,d).
func overlap(a, b, c, d events.Time) int64 { return max(0, int64(min(b, d)-max(a, c))) }

// sample is one interval that is complete.
type sample struct {
	phase phase
	group
	begin, end    events.Time
	anchor        events.Time // the event that a window counts the sample by; 0 = begin
	off           int64       // ns off the CPU inside
	outs          uint32      // absences inside
	offAtStart    bool        // the first of these began before
	offUnknown    bool        // off is not known
	sending       *signal     // of a send: its signal
	fromSwitchOut bool        // of a hand-off: it begins with the switch-out, after the wake-up
	moved         bool        // of a hand-off: the wake-up placed the thread on another CPU
}

// sampler turns the intervals that end into samples. The record of a turn arrives when the turn
// ends, with the time off the CPU before it. So a sample that contains a switch-out is kept in
// thread.deferred until the present turn ends, or until a snapshot has that time.
type sampler struct {
	windows *windows
	signalPool
}

// finish records the sample, now or when the thread's present turn is known.
func (m *sampler) finish(t *thread, s sample) {
	if s.outs > 0 && t.deadAt == 0 {
		t.deferred = append(t.deferred, s)
		return
	}
	m.complete(&s)
}

// complete records a sample that nothing can change any more.
func (m *sampler) complete(s *sample) {
	m.windows.record(s)
	if s.sending != nil {
		s.sending.send, s.sending.sendEnded = *s, true
		m.recordKernelBounds(s.sending)
		m.release(&s.sending)
	}
}

// recordBirth records an interval of a thread's birth that is no single thread's time on a CPU, or
// had no switch-out.
func (m *sampler) recordBirth(t *thread, p phase, begin, end events.Time) {
	if begin != 0 && end != 0 {
		m.windows.record(&sample{phase: p, group: t.birth, begin: begin, end: end, anchor: t.createdAt})
	}
}

// addAbsence adds the time [out, in) off the CPU to a thread's open spans and deferred samples.
func (m *sampler) addAbsence(t *thread, out, in events.Time) {
	out = max(out, t.offUntil) // a snapshot may have added a part already
	t.offUntil = max(t.offUntil, in)
	for s := range t.openSpans {
		s.off += overlap(out, in, s.begin, in)
	}
	if len(t.deferred) == 0 {
		return
	}
	for i := range t.deferred {
		s := &t.deferred[i]
		s.off += overlap(out, in, s.begin, s.end)
		m.complete(s)
	}
	t.deferred = t.deferred[:0]
}

// addUnknownAbsence adds an absence that ended before a moment, at a time that is not known.
func (m *sampler) addUnknownAbsence(t *thread, moment events.Time) {
	for s := range t.openSpans {
		s.offUnknown = true
	}
	for i := range t.deferred {
		t.deferred[i].offUnknown = true
	}
	m.addAbsence(t, moment, moment)
}

// recordKernelBounds records, for a target on a CPU, the least and the most that a preemption costs
// the kernel: send and delivery overlap, and the time to delivery is not all CPU time. It is called
// when the send is complete and when the signal is delivered; the later call records.
func (m *sampler) recordKernelBounds(sig *signal) {
	if !sig.sendEnded || sig.delivered == 0 || sig.state != partStates[events.TargetOnCPU] {
		return
	}
	lower, upper := sig.send, sig.send
	lower.phase, upper.phase = phaseKernelLower, phaseKernelUpper
	upper.end = max(upper.end, sig.delivered)
	lower.anchor, upper.anchor = sig.enter, sig.enter
	m.windows.record(&lower)
	m.windows.record(&upper)
}

// endResumes ends, at a switch-in, a thread's waits for its preempted goroutine.
func (m *sampler) endResumes(t *thread, in events.Time) {
	if t.begun&(1<<spanLastResume|1<<spanResume) != 0 {
		m.endResume(t, spanLastResume, &t.lastResume, in)
		m.endResume(t, spanResume, &t.resume, in)
	}
}

func (m *sampler) endResume(t *thread, k spanKind, r *resume, in events.Time) {
	if r.parkedAt == 0 || in <= r.parkedAt {
		return
	}
	s := t.closeSpan(k, phaseResume, in)
	s.group, s.anchor = r.of, s.begin
	*r = resume{}
	m.complete(&s) // its time off the CPU is known: it ends with an absence
}
