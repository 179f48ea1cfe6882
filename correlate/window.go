package correlate

import (
	"cmp"
	"math"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// window is the time [start, end) that one Result covers, with its ledger and the threads that
// have a share of it.
type window struct {
	id         uint32
	slot       int         // in thread.shares
	start, end events.Time // end 0 = it has not ended
	interval   bool
	ledger

	threads   []*thread // those with a share
	forgetAt  int       // forget ended threads when there are more than this
	leastKept int64     // all that are kept ran for this long at least, ns; 0 = there are not so many
	dropped   share     // sums over threads no longer listed
	droppedN  uint64
}

func (w *window) endOrMax() events.Time {
	if w.end == 0 {
		return math.MaxInt64
	}
	return w.end
}

func (w *window) contains(t events.Time) bool { return t >= w.start && t < w.endOrMax() }

// list adds a thread to those with a share.
func (w *window) list(t *thread) {
	t.shares[w.slot].place = int32(len(w.threads))
	w.threads = append(w.threads, t)
}

// unlist takes a thread out of them; the last one comes to its place.
func (w *window) unlist(t *thread) {
	last := w.threads[len(w.threads)-1]
	place := t.shares[w.slot].place
	w.threads[place], last.shares[w.slot].place = last, place
	w.threads[len(w.threads)-1] = nil
	w.threads = w.threads[:len(w.threads)-1]
}

// maxWindows: at one time there are at most the whole observation, an interval that has ended but
// is not settled, and the one after it.
const maxWindows = 3

// windows are those that can still change.
type windows struct {
	list      []*window   // the whole observation first, then intervals
	open      *window     // the innermost of those that have not ended; nil = none
	boundary  events.Time // the last begin or end of a window
	bans      bookBans
	lastID    uint32
	untracked uint64        // threads that found no room for their state
	keep      int           // ended threads that a window lists at least
	ended     []endedThread // memory of forgetEnded, used again
	threads   *threads
}

// find returns the innermost window that holds [from, to] whole; nil = none. The open one holds
// whatever comes after the last boundary.
func (ws *windows) find(from, to events.Time) *window {
	if from >= ws.boundary {
		return ws.open
	}
	return ws.findBefore(from, to)
}

func (ws *windows) findBefore(from, to events.Time) *window {
	for i := len(ws.list) - 1; i >= 0; i-- {
		if w := ws.list[i]; from >= w.start && to < w.endOrMax() {
			return w
		}
	}
	return nil
}

// setOpen finds the innermost open window and the boundary after which no other one counts.
func (ws *windows) setOpen() {
	ws.open, ws.boundary = nil, 0
	for _, w := range ws.list {
		ws.boundary = max(ws.boundary, w.start, w.end)
		if w.end == 0 {
			ws.open = w
		}
	}
}

// start begins a window, with so many threads locked.
func (ws *windows) start(start events.Time, interval bool, locked uint64) {
	used := [maxWindows]bool{}
	for _, w := range ws.list {
		used[w.slot] = true
	}
	slot := slices.Index(used[:], false)
	if slot < 0 {
		return // the cut before is not settled: the driver cuts more often than it takes snapshots
	}
	ws.lastID++
	w := &window{id: ws.lastID, slot: slot, start: start, interval: interval, forgetAt: forgetFrom * ws.keep,
		ledger: newLedger()}
	w.lockedMax = locked
	w.loss.Untracked = ws.untracked
	ws.list = append(ws.list, w)
	ws.setOpen()
}

// finish ends a window, and keeps what is known of its threads' locks now.
func (ws *windows) finish(w *window, end events.Time) {
	w.end = end
	ws.setOpen()
	for t := range ws.threads.all {
		t.atEnd = lockAtEnd{t.lock, t.lockKind()}
	}
	for _, t := range w.threads { // those that have ended, too
		t.atEnd = lockAtEnd{t.lock, t.lockKind()}
	}
}

// whole returns the window that an interval is a part of; nil = none any more.
func (ws *windows) whole(w *window) *window {
	for _, whole := range ws.list {
		if w.interval && !whole.interval && whole.start <= w.start {
			return whole
		}
	}
	return nil
}

// absorb adds an interval to the whole observation.
func (ws *windows) absorb(w *window) {
	whole := ws.whole(w)
	if whole == nil {
		return
	}
	whole.ledger.add(&w.ledger)
	for _, t := range w.threads {
		ws.moveShare(whole, w, t)
	}
}

func (c *Correlator) windowStart(e *events.Event) {
	c.started = true
	c.windows.start(e.Time, false, c.locks.held)
	if e.Flags&events.WindowIntervals != 0 {
		c.windows.start(e.Time, true, c.locks.held)
	}
}

func (c *Correlator) windowCut(e *events.Event) {
	for _, w := range c.windows.list {
		if w.interval && w.end == 0 {
			c.windows.finish(w, e.Time)
		}
	}
	c.windows.start(e.Time, true, c.locks.held)
}

// windowEnd handles a WindowEnd. Where the target has ended, so has every thread, whether its last
// switch-out was recorded or not. A window ends right after the target's last moment, where that is
// known: when it was noticed says nothing about the target. An interval may have begun meanwhile.
func (c *Correlator) windowEnd(e *events.Event) {
	end := e.Time
	if ended := events.Time(e.Args[events.ArgEnded]); ended != 0 {
		end = max(min(end, ended+1), c.windows.boundary+1)
	}
	if e.Flags&events.WindowTargetEnded != 0 {
		c.endSleepers(e.Time - 1)
		for t := range c.threads.all {
			if t.deadAt == 0 {
				c.endUnseen(t, e.Time-1)
			}
		}
	}
	for _, w := range c.windows.list {
		if w.end == 0 {
			c.windows.finish(w, end)
		}
	}
}

// endUnseen ends a thread whose last switch-out was not recorded.
func (c *Correlator) endUnseen(t *thread, end events.Time) {
	c.windows.breakLink()
	c.windows.account(t, classUnknown, t.accounted, end)
	t.deadAt = end
	c.locks.release(t)
}

func (c *Correlator) loss(e *events.Event) {
	kind := events.Kind(e.Args[events.ArgLostKind])
	c.locks.pinsLost = c.locks.pinsLost || kind == events.Pin
	for _, w := range c.windows.list {
		if w.contains(e.Time) || w.end != 0 && w.end <= e.Time {
			w.loss.ByKind[kind.String()] += e.Args[events.ArgLostCount]
		}
	}
}

// untracked handles an Untracked. The threads are counted since the kernel side was attached, their
// turns since the last event of this kind.
func (c *Correlator) untracked(e *events.Event) {
	c.windows.untracked = e.Args[events.ArgUntracked]
	for _, w := range c.windows.list {
		if w.contains(e.Time) || w.end != 0 && w.end <= e.Time {
			w.loss.Untracked = c.windows.untracked
			w.loss.UntrackedTurns += e.Args[events.ArgUntrackedTurns]
		}
	}
}

// settle handles a WindowSettled: the windows that have ended become Results. A snapshot has been
// taken since, so every thread's time is accounted past their end.
func (c *Correlator) settle() []*Result {
	c.windows.countBan(c.windows.bans.process.current(), c.windows.boundary)
	for _, w := range c.windows.list {
		c.wakeUnlisted(w.end)
		c.accountUnlisted(w.end)
	}
	c.stops.Settle()
	var done []*Result
	var remaining, wholes []*window
	for _, w := range c.windows.list {
		switch {
		case w.end == 0:
			remaining = append(remaining, w)
		case w.interval:
			done = append(done, c.result(w))
			c.windows.absorb(w)
		default:
			wholes = append(wholes, w)
		}
	}
	for _, w := range wholes { // after their intervals are added to them
		done = append(done, c.result(w))
	}
	c.windows.list = remaining
	c.windows.setOpen()
	return done
}

// maxEndedThreads is how many ended threads a Result lists at least; of the others only the sums
// are kept.
const maxEndedThreads = 1000

// forgetFrom is how many threads a window lists before it forgets any, as a multiple of those that
// it keeps at least.
const forgetFrom = 4

// forgotten is the place of a thread that is forgotten, but may have events to come: until its
// sched_process_free it keeps its share, so that these do not make it another thread.
const forgotten = -1

// endedThread is a thread that can be forgotten, and how long it ran in the window.
type endedThread struct {
	*thread
	run int64
}

// forgetEnded keeps the busiest of the ended threads and only sums of the others, so that churn
// costs no memory. The whole takes over at once what an interval forgets. A thread stays listed if
// it lived at the window's end. The whole also keeps a thread that an interval still lists.
func (ws *windows) forgetEnded(w *window) {
	all := w.threads
	w.threads = w.threads[:0]
	ended := ws.ended
	ws.ended = nil // what an interval forgets may make the whole forget, too
	for _, t := range all {
		if t.deadAt == 0 || t.deadAt >= w.endOrMax() || ws.inInterval(w, t) {
			w.list(t)
		} else {
			ended = append(ended, endedThread{t, t.shares[w.slot].time[classRun]})
		}
	}
	slices.SortFunc(ended, func(a, b endedThread) int {
		if a.run != b.run {
			return cmp.Compare(b.run, a.run)
		}
		return cmp.Compare(a.shares[w.slot].place, b.shares[w.slot].place)
	})
	keep := min(len(ended), ws.keep)
	for _, e := range ended[:keep] {
		w.list(e.thread)
	}
	clear(all[len(w.threads):])
	for _, e := range ended[keep:] {
		ws.forget(w, e.thread)
	}
	if keep == ws.keep {
		w.leastKept = ended[keep-1].run
	}
	clear(ended)
	ws.ended = ended[:0]
}

// forgetFreed forgets a thread that has just ended wherever it ran less than all that are kept:
// those that come next take its memory while it is in the caches.
func (ws *windows) forgetFreed(t *thread) {
	for _, w := range slices.Backward(ws.list) { // intervals first: they add to the whole
		s := &t.shares[w.slot]
		switch {
		case s.window != w.id:
		case s.place == forgotten:
			*s = share{}
			ws.reuse(t)
		case w.end == 0 && s.time[classRun] < w.leastKept && !ws.inInterval(w, t):
			w.unlist(t)
			ws.forget(w, t)
		}
	}
}

// forget keeps only the sums of an ended thread, which is no longer in the list.
func (ws *windows) forget(w *window, t *thread) {
	s := &t.shares[w.slot]
	w.dropped.switches += s.switches
	w.dropped.migrations += s.migrations
	w.droppedN++
	if whole := ws.whole(w); whole != nil {
		ws.moveShare(whole, w, t)
	} else if ws.threads.get(t.tid) == t {
		s.place = forgotten
	} else {
		*s = share{}
		ws.reuse(t)
	}
}

// reuse gives back the memory of a thread that has no tid any more, if no window has a share of it.
func (ws *windows) reuse(t *thread) {
	if !slices.ContainsFunc(ws.list, t.hasShare) {
		ws.threads.reuse(t)
	}
}

// inInterval reports whether a part of the window has a share of the thread.
func (ws *windows) inInterval(w *window, t *thread) bool {
	for _, i := range ws.list {
		if i != w && i.interval && !w.interval && t.hasShare(i) {
			return true
		}
	}
	return false
}
