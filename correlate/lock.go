package correlate

import (
	"github.com/pinwatch/pinwatch/events"
)

// mIdentity is which M of the runtime a thread is.
type mIdentity struct {
	known bool
	id    int64
	start uint64 // address of the function it began with
	extra bool   // lent to a thread of C code
}

// lock is what is known of a thread's lock. Between two observations it can have been let go and taken again.
type lock struct {
	kind          uint8 // events.Lock…
	parked        bool  // the goroutine does not run
	read          bool  // found by reading the process's memory, not by the thread itself
	ext, internal uint32
	goid, entry   uint64
	seen          events.Time // the last observation that found it so
	since         events.Time // held from here on at least; 0 = not held
	notBefore     events.Time // and not before; 0 = nobody knows
}

// lockAtEnd is what was known of a lock when the last window ended. Until that is settled threads may take other locks.
type lockAtEnd struct {
	lock
	kind uint8 // as lockKind
}

// Words of Population.Locked.
const (
	lockedTrue    = "true"
	lockedFalse   = "false"
	lockedUnknown = "unknown"
)

// lockedPart says whether a thread can run its goroutine only, whoever asked for that.
func lockedPart(kind uint8) part {
	switch kind {
	case events.LockUser, events.LockRuntime, events.LockOrphan:
		return partTrue
	case events.LockNone, events.LockForeign:
		return partFalse
	}
	return partUnknown
}

func heldByUser(kind uint8) bool { return kind == events.LockUser }

// lockKind is what the last look at the thread's lock found.
func (t *thread) lockKind() uint8 {
	if t.unknown {
		return events.LockUnknown
	}
	return t.lock.kind
}

// threadM handles a ThreadM: the thread is this M. Threads of C code may be another one later.
func (c *Correlator) threadM(e *events.Event) {
	if t := c.toldOf(e, e.Args[events.ArgMRead] != 0); t != nil {
		t.m = mIdentity{known: true, id: int64(e.Args[events.ArgMID]), start: e.Args[events.ArgMStart], extra: e.Args[events.ArgExtra] != 0}
	}
}

// toldOf is the thread of an event; of one that was read of memory nil when the thread has ended meanwhile.
func (c *Correlator) toldOf(e *events.Event, read bool) *thread {
	if t := c.threads.get(e.TID); t != nil && t.deadAt != 0 || t == nil && read {
		return nil
	}
	return c.known(e.TID)
}

// lockEvent handles a Lock: the thread's lock is now this.
func (c *Correlator) lockEvent(e *events.Event) {
	now := lock{
		kind: e.Flags, goid: e.Args[events.ArgGoID], entry: e.Args[events.ArgEntry],
		ext: uint32(e.Args[events.ArgExt]), internal: uint32(e.Args[events.ArgInt]), parked: e.Args[events.ArgParked] != 0,
		read: e.Args[events.ArgRead] != 0,
	}
	t := c.toldOf(e, now.read)
	if t == nil {
		return
	}
	if now.read {
		t.parked, t.waiter = now.parked, waiter{now.kind, now.goid, now.entry}
	} else {
		t.told = now
	}
	c.setLock(t, now, e.Time)
}

// setLock replaces what is known of the lock by what was found at a moment. A look that proves nothing changes nothing that is known.
func (c *Correlator) setLock(t *thread, now lock, at events.Time) {
	t.unknown = now.kind == events.LockUnknown || now.kind == events.LockUnread
	if t.unknown {
		return
	}
	was := t.lock
	now.seen, now.notBefore = at, was.notBefore
	switch {
	case !heldByUser(now.kind):
		c.unlocked(t)
		now.notBefore = at
	case heldByUser(was.kind) && was.goid == now.goid:
		now.since = was.since
	default:
		begun := t.pins.begun(now.goid)
		now.since = at
		if heldByUser(was.kind) {
			now.notBefore = was.seen
		}
		if begun != 0 { // the probe saw it begin
			now.since, now.notBefore = begun, begun
		}
		// Coroutines hand a lock to and fro (runtime/coro.go): back at the one before it is no new lock.
		c.held(t, now.since, !heldByUser(was.kind) || begun != 0 || now.goid != t.holderBefore)
		t.holderBefore = was.goid
	}
	t.lock = now
	if heldByUser(now.kind) {
		c.pinsSeen(t, at, false)
	}
	c.deepest(t, at)
}

// held counts a thread that the user holds, and a hold that has been seen to begin (fresh).
func (c *Correlator) held(t *thread, since events.Time, fresh bool) {
	if !t.counted {
		t.counted = true
		c.locked++
	}
	for _, w := range c.windows {
		if since >= w.until() {
			continue // it has ended and is not settled
		}
		w.lockedMax = max(w.lockedMax, c.locked)
	}
	if w := c.inner(since, since); fresh && w != nil {
		c.share(w, t).holds++
	}
}

func (c *Correlator) deepest(t *thread, at events.Time) {
	if t.lock.ext == 0 {
		return
	}
	if w := c.inner(at, at); w != nil {
		s := c.share(w, t)
		s.maxExt = max(s.maxExt, t.lock.ext)
	}
}

// unlocked ends the user's hold of a thread, if there is one: it was let go between the last observation and now.
func (c *Correlator) unlocked(t *thread) {
	if t.counted {
		t.counted = false
		c.locked--
	}
}

// observed notes that the thread has looked at its lock, and found it as it last told. Only when it blocked of its own will is it sure
// that it was not just about to lock itself, with the probe on LockOSThread behind it.
func (c *Correlator) observed(t *thread, at events.Time, blocked bool) {
	c.observedTimes(t, at, blocked, 1)
}

// observedTimes is observed for the last of n looks that all found the same.
func (c *Correlator) observedTimes(t *thread, at events.Time, blocked bool, n uint64) {
	if !c.cfg.Locks || t.told.kind == events.LockUnread {
		return
	}
	if (t.lock.read || t.unknown) && at > t.lock.seen {
		c.setLock(t, t.told, at)
	}
	if w := c.inner(at, at); w != nil {
		w.locks.Observations += n
		if t.unknown {
			w.locks.Unknown += n
		}
	}
	if t.unknown {
		return
	}
	t.lock.seen = at
	if !heldByUser(t.lock.kind) {
		t.lock.notBefore = at
	}
	c.pinsSeen(t, at, blocked)
}

// observedAs is observed for a record that says itself what was found. If that is not what was last told, the record that told it
// was lost.
func (c *Correlator) observedAs(t *thread, kind uint8, at events.Time, blocked bool) {
	if kind == events.LockUnread {
		return
	}
	if kind != t.told.kind {
		t.told = lock{kind: events.LockUnknown}
		if kind == events.LockNone || kind == events.LockForeign {
			t.told.kind = kind // which says it all
		}
		c.setLock(t, t.told, at)
	}
	c.observed(t, at, blocked)
}

// forgetLocks: the process executes another program, of whose runtime nothing is known.
func (c *Correlator) forgetLocks(at events.Time) {
	c.cfg.Locks, c.cfg.Sysmon, c.cfg.TemplateThread = false, 0, 0
	for t := range c.threads.all {
		c.unlocked(t)
		c.settlePins(t, at)
		t.m, t.lock, t.told, t.unknown = mIdentity{}, lock{}, lock{}, false
	}
}

// role is what the runtime uses the thread for.
func (c *Correlator) role(t *thread) string {
	switch {
	case t.m.known && t.m.id == 0:
		return "main"
	case t.m.known && t.m.extra:
		return "cgo_extra"
	case t.m.known && t.m.start == 0:
		return "worker"
	case t.m.known && t.m.start == c.cfg.Sysmon:
		return "sysmon"
	case t.m.known && t.m.start == c.cfg.TemplateThread:
		return "template"
	case t.m.known && c.cfg.Sysmon != 0 && c.cfg.TemplateThread != 0:
		return "worker"
	case c.cfg.Light && t.createdAt != 0: // who made it is not known
	case !t.m.known && t.lockKind() == events.LockForeign && !t.byGo:
		return "foreign"
	}
	return "unknown"
}

// lockState is the word for a thread's lock in reports.
func lockState(t *thread, kind uint8) string {
	switch kind {
	case events.LockUser:
		return "user"
	case events.LockRuntime:
		return "runtime"
	case events.LockNone, events.LockForeign:
		return "none"
	case events.LockOrphan:
		switch {
		case !t.m.known:
			return "unknown"
		case t.m.id == 0:
			return "wedged"
		}
		return "exiting"
	}
	return "unknown"
}

// threadLock is the lock at the window's end, as last observed.
func (c *Correlator) threadLock(t *thread, s *share, w *window) ThreadLock {
	l := &t.atEnd.lock
	r := ThreadLock{State: lockState(t, t.atEnd.kind), Ext: l.ext, Int: l.internal, MaxExt: max(s.maxExt, l.ext), GoID: l.goid, Parked: l.parked, Holds: s.holds}
	if r.State == "unknown" {
		return ThreadLock{State: r.State, MaxExt: s.maxExt, Holds: s.holds}
	}
	if l.entry != 0 {
		r.Entry = c.cfg.Func(l.entry)
	}
	if l.since != 0 {
		end := w.until()
		if t.deadAt != 0 {
			end = min(end, t.deadAt)
		}
		r.HeldMin = int64(max(0, min(l.seen, end)-l.since))
		if l.notBefore != 0 {
			most := int64(end - l.notBefore)
			r.HeldMax = &most
		}
	}
	r.Sites = c.lockSites(t, r.State)
	return r
}
