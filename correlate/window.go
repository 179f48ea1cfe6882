package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// At one time there are at most the whole observation, an interval that has ended but is not settled, and the one after it.
const maxWindows = 3

// MaxEndedThreads is how many ended threads a Result lists at least; of the others only the sums are kept.
const MaxEndedThreads = 1000

// forgetFrom is how many threads a window lists before it forgets any, as a multiple of those that it keeps at least.
const forgetFrom = 4

// window collects what happens in [start, end). The intervals are parts of the whole observation: what an interval holds whole is
// counted there, once, and comes to the whole when the interval is settled (absorb.go).
type window struct {
	id         uint32
	slot       int // in thread.shares
	start, end events.Time
	interval   bool
	execs      uint64

	counts       Counts
	sent         uint64
	notInjected  uint64
	loss         Loss
	moves        moves
	costs        [phaseCount]costs
	locks        LockView
	lockedMax    uint64
	exitedLocked uint64
	causes       map[*reason]uint64
	others       map[classKey]uint64
	sites        map[uint64]*site    // by stack
	ledger       map[uint64]*account // by the function that the woken goroutine began with
	threads      []*thread           // those with a share
	forgetAt     int                 // look for ended threads when there are more than this
	leastKept    int64               // as many as are kept at least ran as long; 0 = there are not so many
	dropped      share               // sums over threads no longer listed
	droppedN     uint64
}

// share is one thread's part of one window.
type share struct {
	window     uint32 // whose it is; a slot's window changes
	place      int32  // of the thread in the window's list, or forgotten
	switches   uint64
	migrations uint64
	time       [4]int64 // by timeClass, ns
	cpus       cpuSet

	maxExt uint32
	holds  uint64
}

func (w *window) until() events.Time {
	if w.end == 0 {
		return math.MaxInt64
	}
	return w.end
}

func (w *window) contains(t events.Time) bool { return t >= w.start && t < w.until() }

// inner is the innermost window that holds [from, to] whole; nil = none. One that is open holds whatever comes after the last boundary.
func (c *Correlator) inner(from, to events.Time) *window {
	if from >= c.boundary {
		return c.open
	}
	return c.innerBefore(from, to)
}

func (c *Correlator) innerBefore(from, to events.Time) *window {
	for i := len(c.windows) - 1; i >= 0; i-- {
		if w := c.windows[i]; from >= w.start && to < w.until() {
			return w
		}
	}
	return nil
}

// innermost finds the window that is open and within no other, and the boundary that it is alone behind.
func (c *Correlator) innermost() {
	c.open, c.boundary = nil, 0
	for _, w := range c.windows {
		c.boundary = max(c.boundary, w.start, w.end)
		if w.end == 0 {
			c.open = w
		}
	}
}

// share is a thread's part of a window, which begins with this call.
func (c *Correlator) share(w *window, t *thread) *share {
	if s := &t.shares[w.slot]; s.window == w.id {
		return s
	}
	return c.newShare(w, t)
}

func (c *Correlator) newShare(w *window, t *thread) *share {
	if len(w.threads) >= w.forgetAt {
		c.forgetEnded(w)
		w.forgetAt = max(forgetFrom*c.keep, 2*len(w.threads)) // many may live: a pass must pay
	}
	s := &t.shares[w.slot]
	*s, t.woken[w.slot] = share{window: w.id}, woken{}
	w.list(t)
	return s
}

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

func (c *Correlator) openWindow(start events.Time, interval bool) {
	used := [maxWindows]bool{}
	for _, w := range c.windows {
		used[w.slot] = true
	}
	slot := slices.Index(used[:], false)
	if slot < 0 {
		return // a cut before the one before it was settled: the driver asks for more intervals than it looks at threads
	}
	c.nextWin++
	c.windows = append(c.windows, &window{
		id: c.nextWin, slot: slot, start: start, interval: interval, forgetAt: forgetFrom * c.keep,
		lockedMax: c.locked, causes: map[*reason]uint64{}, others: map[classKey]uint64{}, sites: map[uint64]*site{}, ledger: map[uint64]*account{},
		loss:  Loss{ByKind: map[string]uint64{}},
		moves: moves{byDistance: map[string]uint64{}},
	})
	c.innermost()
}

func (c *Correlator) windowStart(e *events.Event) {
	c.seeded = true
	c.openWindow(e.Time, false)
	if e.Flags&events.WindowIntervals != 0 {
		c.openWindow(e.Time, true)
	}
}

// endWindow ends a window, and keeps what is known of its threads' locks now.
func (c *Correlator) endWindow(w *window, at events.Time) {
	w.end = at
	c.innermost()
	for t := range c.threads.all {
		t.atEnd = lockAtEnd{t.lock, t.lockKind()}
	}
	for _, t := range w.threads { // those that have ended, too
		t.atEnd = lockAtEnd{t.lock, t.lockKind()}
	}
}

func (c *Correlator) windowCut(e *events.Event) {
	for _, w := range c.windows {
		if w.interval && w.end == 0 {
			c.endWindow(w, e.Time)
		}
	}
	c.openWindow(e.Time, true)
}

// windowEnd: where the target has ended, a thread whose last switch-out has not been seen lives no more all the same.
func (c *Correlator) windowEnd(e *events.Event) {
	for t := range c.threads.all {
		if e.Flags&events.WindowTargetEnded != 0 && t.deadAt == 0 {
			c.brokenLink()
			c.account(t, classUnknown, t.accounted, e.Time-1)
			t.deadAt = e.Time - 1
			c.unlocked(t)
		}
	}
	for _, w := range c.windows {
		if w.end == 0 {
			c.endWindow(w, e.Time)
		}
	}
}

func (c *Correlator) loss(e *events.Event) {
	c.pinsLost = c.pinsLost || events.Kind(e.Args[events.ArgLostKind]) == events.Pin
	for _, w := range c.windows {
		if w.contains(e.Time) || w.end != 0 && w.end <= e.Time {
			w.loss.ByKind[events.Kind(e.Args[events.ArgLostKind]).String()] += e.Args[events.ArgLostCount]
		}
	}
}

// settle closes the windows that have ended: every thread has been looked at since, so its time is accounted past their end.
func (c *Correlator) settle() []*Result {
	for _, w := range c.windows {
		c.unlisted(w.end)
	}
	var done []*Result
	var keep, wholes []*window
	for _, w := range c.windows {
		switch {
		case w.end == 0:
			keep = append(keep, w)
		case w.interval:
			done = append(done, c.result(w))
			c.absorb(w)
		default:
			wholes = append(wholes, w)
		}
	}
	for _, w := range wholes { // its intervals have come to it
		done = append(done, c.result(w))
	}
	c.windows = keep
	c.innermost()
	return done
}

// lightWarning says what is not known where no system call is told of.
const lightWarning = "no system call was watched (light): of creating a thread only its wait for a CPU was measured, of ending one only the wait " +
	"until it is freed, of SIGURG only the delivery; how many were sent, how many injected nothing, and which threads exited locked is not known"

func (c *Correlator) result(w *window) *Result {
	r := &Result{Start: w.start, End: w.end, Interval: w.interval, Counts: w.counts, Loss: w.loss, Moves: w.moves.result(), Locks: w.locks}
	r.Causes, r.Unclassified = c.causeRows(w)
	r.Sites = c.siteRows(w)
	r.Handoffs = c.handoffRows(w)
	var locked uint64
	if c.cfg.Light {
		r.Warnings = append(r.Warnings, lightWarning)
	} else {
		r.Counts.SigurgSent = &w.sent
		if c.cfg.AsyncPreempt != 0 {
			r.Counts.SigurgNotInjected = &w.notInjected
		}
	}
	for _, t := range w.threads {
		s := &t.shares[w.slot]
		row := c.threadResult(t, s, w)
		if row.Lock.State == "user" && row.ExitedAt == 0 {
			locked++
		}
		r.Threads = append(r.Threads, row)
		r.Counts.Switches += s.switches
		r.Counts.Migrations += s.migrations
		if t.deadAt == 0 || t.deadAt >= w.end {
			r.Counts.Threads++
		}
	}
	if c.cfg.Locks {
		r.Counts.LockedThreads, r.Counts.LockedThreadsMax = &locked, &w.lockedMax
		if !c.cfg.Light {
			r.Counts.ThreadsExitedLocked = &w.exitedLocked
		}
		w.lockedMax = max(w.lockedMax, locked)
	}
	r.Counts.Switches += w.dropped.switches
	r.Counts.Migrations += w.dropped.migrations
	r.ThreadsOmitted = w.droppedN
	slices.SortFunc(r.Threads, func(a, b Thread) int {
		return cmp.Or(cmp.Compare(a.TID, b.TID), cmp.Compare(a.StartedAt, b.StartedAt))
	})
	r.Costs = w.costRows(c.cfg.Light)
	if n := w.loss.Total(); n > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d records were lost: counts are lower bounds", n))
	}
	if w.execs > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the process executed another program (%d×) in the window: what is said of the program is true of the first", w.execs))
	}
	return r
}

func (c *Correlator) threadResult(t *thread, s *share, w *window) Thread {
	r := Thread{
		TID: t.nsTID, Name: t.name, CreatedBy: t.createdBy, Switches: s.switches, Migrations: s.migrations,
		Run: s.time[classRun], Runq: s.time[classRunq], Blocked: s.time[classBlocked], Unknown: s.time[classUnknown],
	}
	r.Role, r.Lock = c.role(t), c.threadLock(t, s, w)
	if l := &t.woken[w.slot]; l.goid == t.atEnd.goid {
		r.Handoff = l.Handoff
	}
	if t.m.known && !(t.m.extra && t.atEnd.kind == events.LockForeign) { // it has given that M back
		id := t.m.id
		r.M = &id
	}
	if w.contains(t.createdAt) {
		r.StartedAt = t.createdAt
		if k := t.createdFor; k != nil {
			r.Cause, r.CauseFunction = k.cause, k.function
		}
	}
	if t.deadAt != 0 && w.contains(t.deadAt) {
		r.ExitedAt = t.deadAt
	}
	r.CPUs = s.cpus.list()
	return r
}
