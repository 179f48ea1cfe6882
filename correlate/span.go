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
