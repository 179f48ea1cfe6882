package events

// Reorder puts events into the order of their times. The ring buffer's order is that of reservation, which follows the
// time stamp by nanoseconds, or by milliseconds when an interrupt or the hypervisor comes between; and a snapshot's events join
// from the side. Events are released once everything older must have arrived.
//
// Memory is bounded: past MaxHeld events the oldest are released early.
type Reorder struct {
	held     []Event // ascending by Time; held[head:] are waiting
	head     int
	released Time   // time of the newest event released
	late     uint64 // events older than that when they came
}

// MaxHeld is how many events Reorder holds back at most (80 bytes each).
const MaxHeld = 1 << 17

// Push takes an event. Nearly sorted input costs O(1).
func (r *Reorder) Push(e *Event) {
	if e.Time < r.released {
		r.late++
	}
	r.held = append(r.held, *e)
	i := len(r.held) - 1
	for i > r.head && r.held[i-1].Time > e.Time {
		r.held[i] = r.held[i-1]
		i--
	}
	r.held[i] = *e
}

// Release hands out, oldest first, the events older than until, and as many more as MaxHeld asks for. The event is only
// valid during the call.
func (r *Reorder) Release(until Time, out func(*Event)) {
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
