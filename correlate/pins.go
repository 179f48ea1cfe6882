package correlate

import (
	"cmp"
	"math"

	"github.com/pinwatch/pinwatch/events"
)

// pin is a call of LockOSThread that has not been undone, as far as is known.
type pin struct {
	stack, goid uint64
	begin       events.Time
	depth       uint32 // 1 = the thread was not locked before
}

// pins are a thread's calls of LockOSThread, the outermost first. The probe fires before
// LockOSThread counts the call. In between, a program's first call also starts the template thread.
// So a read just after the probe can still find no lock. A release is proved only if no later read
// finds the lock.
type pins struct {
	calls []pin
	held  events.Time // the last read that found the outermost's lock held; 0 = none
	free  events.Time // the first read since then that did not; 0 = none
	last  uint64      // stack of the last outermost call; 0 = none
}

// maxPins is how many nested calls are remembered by their sites.
const maxPins = 4

// outermost returns the call that began the present hold, if the probe saw it.
func (p *pins) outermost() *pin {
	if len(p.calls) > 0 && p.calls[0].depth == 1 {
		return &p.calls[0]
	}
	return nil
}

// sleptSince reports whether the thread has left its CPU voluntarily since the present hold began,
// as far as is known, by its last switch-out.
func (p *pins) sleptSince(out events.Time, preempted bool) bool {
	o := p.outermost()
	return o != nil && out > o.begin && !preempted
}

// holdBegin returns when the present hold by a goroutine began; 0 = not seen.
func (p *pins) holdBegin(goid uint64) events.Time {
	if o := p.outermost(); o != nil && o.goid == goid {
		return o.begin
	}
	return 0
}

// truncate forgets calls deeper than a depth.
func (p *pins) truncate(depth uint32) {
	for n := len(p.calls); n > 0 && p.calls[n-1].depth > depth; n-- {
		p.calls = p.calls[:n-1]
	}
}

// siteCounts are a window's counters of the calls with one stack.
type siteCounts struct {
	calls, outer, released uint64
	ended                  uint64 // holds whose thread ended with them
	heldMin, heldMax       int64
}

// release counts a hold that the probe saw begin and that was seen to be released.
func (s *siteCounts) release(p *pins) {
	o := p.outermost()
	s.released++
	s.heldMin += max(0, int64(p.held-o.begin))
	s.heldMax += int64(p.free - o.begin)
}

func (s *siteCounts) add(o *siteCounts) {
	s.calls += o.calls
	s.outer += o.outer
	s.released += o.released
	s.ended += o.ended
	s.heldMin += o.heldMin
	s.heldMax += o.heldMax
}

// pin handles a Pin: the thread enters runtime.LockOSThread.
func (c *Correlator) pin(e *events.Event) {
	t := c.threadOf(e.TID)
	before := e.Args[events.ArgPinExt]
	p := pin{stack: e.Args[events.ArgPinStack], goid: e.Args[events.ArgPinGoID], begin: e.Time, depth: uint32(before) + 1}
	if before == 0 {
		c.locks.settlePins(t, e.Time) // any hold before has ended
		t.pins.last = p.stack
	}
	if before < math.MaxUint32 { // else the depth is not known
		t.pins.truncate(uint32(before))
		if len(t.pins.calls) < maxPins {
			t.pins.calls = append(t.pins.calls, p)
		}
	}
	c.locks.first = cmp.Or(c.locks.first, t)
	if w := c.windows.find(e.Time, e.Time); w != nil {
		s := w.site(p.stack)
		s.calls++
		if before == 0 {
			s.outer++
		}
	}
}

// checkPins compares a thread's pins with what a read found; blocked: the thread left its CPU
// voluntarily.
func (l *lockTracker) checkPins(t *thread, read events.Time, blocked bool) {
	o := t.pins.outermost()
	switch {
	case o == nil && !heldByUser(t.lock.kind):
		t.pins.truncate(0)
	case o == nil || o.begin >= read:
	case t.lock.kind == events.LockOrphan: // the goroutine has ended with the lock: nothing released it
	case !heldByUser(t.lock.kind):
		if blocked && t.pins.free == 0 {
			t.pins.free = read
		}
	case t.lock.goid == o.goid:
		t.pins.held, t.pins.free = read, 0
	default:
		l.settlePins(t, read)
	}
	if heldByUser(t.lock.kind) {
		t.pins.truncate(t.lock.ext)
	}
}

// settlePins ends the hold that the probe saw begin: it has been released at this moment, or
// before.
func (l *lockTracker) settlePins(t *thread, moment events.Time) {
	if o := t.pins.outermost(); o != nil {
		t.pins.free = cmp.Or(t.pins.free, moment)
		if w := l.windows.find(min(o.begin, t.pins.free), max(o.begin, t.pins.free)); w != nil {
			w.site(o.stack).release(&t.pins)
		}
	}
	t.pins = pins{last: t.pins.last}
}

// endPins ends the hold that the probe saw begin: its thread has ended. Unless a read found the lock
// released before, the thread has ended with it (runtime.mexit, exit_group), which is no release.
func (l *lockTracker) endPins(t *thread, moment events.Time) {
	o := t.pins.outermost()
	if o == nil || t.pins.free != 0 || !heldByUser(t.lock.kind) && t.lock.kind != events.LockOrphan {
		l.settlePins(t, moment)
		return
	}
	if w := l.windows.find(min(o.begin, moment), max(o.begin, moment)); w != nil {
		w.site(o.stack).ended++
	}
	t.pins = pins{last: t.pins.last}
}

// startedBy returns the thread of the call that has just started the template thread from parent:
// the goroutine may have been moved there before that.
func (l *lockTracker) startedBy(parent *thread) *thread {
	if parent.pins.outermost() == nil {
		return l.first
	}
	return parent
}

// findMovedCall gives a thread that is locked, while no call on it explains that, the call that
// began on another thread, see starter. goid is of the goroutine that holds it; 0 = not known, but
// the thread was seen without a lock before.
func (l *lockTracker) findMovedCall(t *thread, goid uint64) {
	if l.starter == nil || l.starter == t || t.pins.last != 0 || t.lock.notBefore == 0 {
		return
	}
	moved := l.starter.pins.outermost()
	if moved == nil || goid != 0 && goid != moved.goid {
		return
	}
	moved.begin = max(moved.begin, t.lock.notBefore)
	t.pins, l.starter.pins, l.starter = l.starter.pins, pins{}, nil
}

// lastPin returns the stack of the call that locked a thread last; 0 where the probe is off or
// its records were lost.
func (l *lockTracker) lastPin(t *thread) uint64 {
	if l.pinsLost {
		return 0
	}
	return t.pins.last
}
