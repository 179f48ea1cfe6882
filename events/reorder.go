package events

// Reorder puts events into the order of their times; of the same time, into that in which they were pushed. They come in runs that are
// sorted or nearly so: what one CPU recorded since it was last asked, in the order of reservation, which follows the time stamp by
// nanoseconds, or by milliseconds when an interrupt or the hypervisor comes between; and a snapshot's events join from the side. Events
// are released once everything older must have arrived: then the runs are merged.
//
// Memory is bounded as long as no more than MaxHeld events are pushed between two releases: past MaxHeld the oldest are released early.
type Reorder struct {
	held     []Event // the runs, one after the other
	runs     []run
	heads    []head // of a release
	waiting  int    // events in the runs
	newest   Time   // of the last run
	released Time   // time of the newest event released
	late     uint64 // events older than that when they came
}

// run is held[next:end], ascending by Time. All that is in a run came before all that is in the next one.
type run struct{ next, end int }

// nearby is how far an event is moved to its place in the last run. One from further off begins another run.
const nearby = 64

// MaxHeld is how many events Reorder holds back at most (80 bytes each).
const MaxHeld = 1 << 16

// Push takes an event. It costs O(1), however many runs there are.
func (r *Reorder) Push(e *Event) {
	if e.Time < r.released {
		r.late++
	}
	at := len(r.held)
	r.held = append(r.held, *e)
	r.waiting++
	n := len(r.runs) - 1
	switch {
	case n < 0 || r.runs[n].end != at: // there is none, or another one behind it has been released
		r.begin(e.Time)
	case e.Time >= r.newest:
		r.newest = e.Time
		r.runs[n].end++
	default:
		r.place(&r.runs[n], e)
	}
}

// begin begins a run with the event pushed last.
func (r *Reorder) begin(at Time) {
	r.newest = at
	r.runs = append(r.runs, run{len(r.held) - 1, len(r.held)})
}

// place moves the event pushed last to its place in the last run.
func (r *Reorder) place(last *run, e *Event) {
	i := last.end
	for first := max(last.next, i-nearby); i > first && r.held[i-1].Time > e.Time; {
		i--
	}
	if i > last.next && r.held[i-1].Time > e.Time {
		r.begin(e.Time)
		return
	}
	copy(r.held[i+1:], r.held[i:])
	r.held[i] = *e
	last.end++
}

// head is the oldest event of a run.
type head struct {
	time Time
	run  int
}

func (a head) before(b head) bool { return a.time < b.time || a.time == b.time && a.run < b.run }

// Release hands out, oldest first, the events older than until, and as many more as MaxHeld asks for. The event is only
// valid during the call. Of n events in k runs it takes O(n log k).
func (r *Reorder) Release(until Time, out func(*Event)) {
	h := r.heads[:0] // a heap
	for i, run := range r.runs {
		h = append(h, head{r.held[run.next].Time, i})
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		down(h, i)
	}
	r.heads = h
	for len(h) > 0 && (h[0].time < until || r.waiting > MaxHeld) {
		if r.follow(h, until, out); r.runs[h[0].run].next == r.runs[h[0].run].end {
			h[0] = h[len(h)-1]
			h = h[:len(h)-1]
		}
		if len(h) > 0 {
			down(h, 0)
		}
	}
	r.compact()
}

// follow hands out events of the run with the oldest one, as long as no other run has an older one.
func (r *Reorder) follow(h []head, until Time, out func(*Event)) {
	top, from := &h[0], &r.runs[h[0].run]
	other := head{time: 1<<63 - 1, run: len(r.runs)}
	for _, child := range h[1:min(3, len(h))] {
		if child.before(other) {
			other = child
		}
	}
	for {
		r.released = max(r.released, top.time)
		out(&r.held[from.next])
		r.waiting--
		from.next++
		if from.next == from.end {
			return
		}
		top.time = r.held[from.next].Time
		if other.before(*top) || top.time >= until && r.waiting <= MaxHeld {
			return
		}
	}
}

// down moves h[i] below those that come before it.
func down(h []head, i int) {
	for {
		least := 2*i + 1
		if least >= len(h) {
			return
		}
		if right := least + 1; right < len(h) && h[right].before(h[least]) {
			least = right
		}
		if !h[least].before(h[i]) {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// compact forgets runs that are empty, and closes the gaps once they are more than half.
func (r *Reorder) compact() {
	runs := r.runs[:0]
	for _, run := range r.runs {
		if run.next < run.end {
			runs = append(runs, run)
		}
	}
	r.runs = runs
	if n := len(runs); n > 0 {
		r.newest = r.held[runs[n-1].end-1].Time
	}
	if r.waiting > len(r.held)/2 {
		return
	}
	end := 0
	for i := range runs {
		run := &runs[i]
		n := copy(r.held[end:], r.held[run.next:run.end])
		run.next, run.end = end, end+n
		end += n
	}
	r.held = r.held[:end]
}

// Late is how many events came after newer ones had been released. They were still handed out, out of order.
func (r *Reorder) Late() uint64 { return r.late }
