package events

// Reorder puts events into the order of their times; of the same time, into that in which they were
// pushed. They come in runs that are sorted or nearly so: the records of one CPU since it was last
// read, in the order of reservation. That follows the time stamp by nanoseconds, or by milliseconds
// when an interrupt or the hypervisor comes between. A snapshot's events come between the runs.
// Events are released once everything older must have arrived: then the runs are merged.
//
// Memory is bounded as long as no more than maxHeld events are pushed between two releases: past
// maxHeld the oldest are released early. Events of a list of all threads (PushListed) come in
// addition: older ones are still to come from the CPUs, however many threads there are.
type Reorder struct {
	held     []Event // the runs, one after the other
	runs     []run
	heads    []head // of a release
	waiting  int    // events in the runs
	listed   int    // of these, by PushListed, at most
	newest   Time   // of the last run
	released Time   // time of the newest event released
	late     uint64 // events older than that when they came
}

// run is held[next:end], ascending by Time. All events of a run came before those of the next one.
type run struct{ next, end int }

// nearby is how far an event is moved to its place in the last run. One that belongs further off
// begins another run.
const nearby = 64

// maxHeld is how many events Reorder holds back at most (80 bytes each).
const maxHeld = 1 << 16

// Push adds an event. It costs O(1), however many runs there are.
func (r *Reorder) Push(e *Event) {
	if e.Time < r.released {
		r.late++
	}
	last := len(r.held)
	r.held = append(r.held, *e)
	r.waiting++
	n := len(r.runs) - 1
	switch {
	case n < 0 || r.runs[n].end != last: // there is none, or a later one has been released
		r.begin(e.Time)
	case e.Time >= r.newest:
		r.newest = e.Time
		r.runs[n].end++
	default:
		r.place(&r.runs[n], e)
	}
}

// PushListed adds an event of a list of all threads.
func (r *Reorder) PushListed(e *Event) {
	r.Push(e)
	r.listed++
}

// Pass adds an event that no older one can follow: while none is held back it goes to out at once.
func (r *Reorder) Pass(e *Event, out func(*Event)) {
	if r.waiting > 0 {
		r.Push(e)
		return
	}
	if e.Time < r.released {
		r.late++
	}
	r.released = max(r.released, e.Time)
	out(e)
}

// limit is how many events are held back.
func (r *Reorder) limit() int { return maxHeld + r.listed }

// begin begins a run with the event pushed last.
func (r *Reorder) begin(newest Time) {
	r.newest = newest
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

func (a head) precedes(b head) bool { return a.time < b.time || a.time == b.time && a.run < b.run }

// Release passes the events older than end to out, oldest first, and more while over the limit are
// held. The event is only valid during the call. For n events in k runs it takes O(n log k).
func (r *Reorder) Release(end Time, out func(*Event)) {
	h := r.heads[:0] // a heap
	for i, run := range r.runs {
		h = append(h, head{r.held[run.next].Time, i})
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		siftDown(h, i)
	}
	r.heads = h
	for len(h) > 0 && (h[0].time < end || r.waiting > r.limit()) {
		if r.releaseRun(h, end, out); r.runs[h[0].run].next == r.runs[h[0].run].end {
			h[0] = h[len(h)-1]
			h = h[:len(h)-1]
		}
		if len(h) > 0 {
			siftDown(h, 0)
		}
	}
	r.listed = min(r.listed, r.waiting)
	r.compact()
}

// releaseRun passes on events of the run with the oldest one, as long as no other run has an older
// one.
func (r *Reorder) releaseRun(h []head, end Time, out func(*Event)) {
	top, from := &h[0], &r.runs[h[0].run]
	other := head{time: 1<<63 - 1, run: len(r.runs)}
	for _, child := range h[1:min(3, len(h))] {
		if child.precedes(other) {
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
		if other.precedes(*top) || top.time >= end && r.waiting <= r.limit() {
			return
		}
	}
}

// siftDown moves h[i] below those that come before it.
func siftDown(h []head, i int) {
	for {
		least := 2*i + 1
		if least >= len(h) {
			return
		}
		if right := least + 1; right < len(h) && h[right].precedes(h[least]) {
			least = right
		}
		if !h[least].precedes(h[i]) {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// compact drops empty runs, and closes the gaps once they are more than half.
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

// Late returns how many events came after newer ones had been released. They were still passed on,
// out of order.
func (r *Reorder) Late() uint64 { return r.late }
