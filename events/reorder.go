package events

import (
	"cmp"
	"slices"
)

// Reorder puts events into the order of their times. The ring buffer's order is that of reservation, which follows the
// time stamp by nanoseconds, or by milliseconds when an interrupt or the hypervisor comes between; and a snapshot's events join
// from the side. Events are released once everything older must have arrived.
//
// Memory is bounded as long as no more than MaxHeld events are pushed between two releases: past MaxHeld the oldest are released early.
type Reorder struct {
	held     []Event // held[head:] are waiting, ascending by Time unless unsorted
	head     int
	released Time   // time of the newest event released
	late     uint64 // events older than that when they came
	unsorted bool
}

// nearby is how far an event is moved at once to its place. Events from further off, a snapshot's against those that came
// meanwhile, are sorted together at the next Release.
const nearby = 64

// MaxHeld is how many events Reorder holds back at most (80 bytes each).
const MaxHeld = 1 << 16

// Push takes an event. Nearly sorted input costs O(1).
func (r *Reorder) Push(e *Event) {
	if e.Time < r.released {
		r.late++
	}
	r.held = append(r.held, *e)
	last := len(r.held) - 1
	i := last
	for i > r.head && i > last-nearby && r.held[i-1].Time > e.Time {
		i--
	}
	if i > r.head && r.held[i-1].Time > e.Time {
		r.unsorted = true
		return
	}
	copy(r.held[i+1:], r.held[i:last])
	r.held[i] = *e
}

// Release hands out, oldest first, the events older than until, and as many more as MaxHeld asks for. The event is only
// valid during the call.
func (r *Reorder) Release(until Time, out func(*Event)) {
	if r.unsorted {
		slices.SortStableFunc(r.held[r.head:], func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
		r.unsorted = false
	}
	for r.head < len(r.held) {
		e := &r.held[r.head]
		if e.Time >= until && len(r.held)-r.head <= MaxHeld {
			break
		}
		r.released = max(r.released, e.Time)
		out(e)
		r.head++
	}
	if r.head == len(r.held) {
		r.held, r.head = r.held[:0], 0
	} else if r.head > len(r.held)/2 {
		n := copy(r.held, r.held[r.head:])
		r.held, r.head = r.held[:n], 0
	}
}

// Late is how many events came after newer ones had been released. They were still handed out, out of order.
func (r *Reorder) Late() uint64 { return r.late }
