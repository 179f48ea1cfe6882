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
	goid, entry   uint64
	ext, internal uint32
	parked        bool        // the goroutine does not run
	seen          events.Time // the last observation that found it so
	since         events.Time // held from here on at least; 0 = not held
	notBefore     events.Time // and not before; 0 = nobody knows
	read          bool        // found by reading the process's memory, not by the thread itself
}

// Words of Population.Locked.
const (
	lockedTrue    = "true"
	lockedFalse   = "false"
	lockedUnknown = "unknown"
)

// lockedWord says whether a thread can run its goroutine only, whoever asked for that.
func lockedWord(kind uint8) string {
	switch kind {
	case events.LockUser, events.LockRuntime, events.LockOrphan:
		return lockedTrue
	case events.LockNone, events.LockForeign:
		return lockedFalse
	}
	return lockedUnknown
}

func heldByUser(kind uint8) bool { return kind == events.LockUser }

// threadM handles a ThreadM: the thread is this M. Threads of C code may be another one later.
func (c *Correlator) threadM(e *events.Event) {
	t := c.known(e.TID)
	t.m = mIdentity{known: true, id: int64(e.Args[events.ArgMID]), start: e.Args[events.ArgMStart], extra: e.Args[events.ArgExtra] != 0}
}

// lockEvent handles a Lock: the thread's lock is now this.
func (c *Correlator) lockEvent(e *events.Event) {
	t := c.known(e.TID)
	if t.deadAt != 0 {
		return
	}
	now := lock{
		kind: e.Flags, goid: e.Args[events.ArgGoID], entry: e.Args[events.ArgEntry],
		ext: uint32(e.Args[events.ArgExt]), internal: uint32(e.Args[events.ArgInt]), parked: e.Args[events.ArgParked] != 0,
		read: e.Args[events.ArgRead] != 0,
	}
	if now.read {
		t.parked, t.waiter = now.parked, waiter{now.kind, now.goid, now.entry}
	} else {
		t.told = now
	}
	c.setLock(t, now, e.Time)
}

// setLock replaces what is known of the lock by what was found at a moment.
func (c *Correlator) setLock(t *thread, now lock, at events.Time) {
	was := t.lock
	now.seen, now.notBefore = at, was.notBefore
	switch {
	case !heldByUser(now.kind):
		c.unlocked(t)
		if now.kind != events.LockUnknown && now.kind != events.LockUnread {
			now.notBefore = at
		} else {
			now.notBefore = 0
		}
	case heldByUser(was.kind) && was.goid == now.goid:
		now.since = was.since
	default:
		c.unlocked(t)
		now.since = at
		if heldByUser(was.kind) {
			now.notBefore = was.seen
		}
		if begun := t.pins.begun(now.goid); begun != 0 { // the probe saw it begin
			now.since, now.notBefore = begun, begun
		}
		c.held(t, now.since)
	}
	t.lock = now
	c.pinsSeen(t, at)
	c.deepest(t, at)
}

// held counts a hold by the user that has been seen to begin.
func (c *Correlator) held(t *thread, since events.Time) {
	if !t.counted {
		t.counted = true
		c.locked++
	}
	for _, w := range c.windows {
		w.lockedMax = max(w.lockedMax, c.locked)
		if w.contains(since) {
			w.share(t).holds++
		}
	}
}

func (c *Correlator) deepest(t *thread, at events.Time) {
	if t.lock.ext == 0 {
		return
	}
	for _, w := range c.windows {
		if w.contains(at) {
			s := w.share(t)
			s.maxExt = max(s.maxExt, t.lock.ext)
		}
	}
}

// unlocked ends the user's hold of a thread, if there is one: it was let go between the last observation and now.
func (c *Correlator) unlocked(t *thread) {
	if t.counted {
		t.counted = false
		c.locked--
	}
}

// observed notes that the thread has looked at its lock, and found it as it last told.
func (c *Correlator) observed(t *thread, at events.Time) {
	if !c.cfg.Locks || t.told.kind == events.LockUnread {
		return
	}
	if t.lock.read {
		c.setLock(t, t.told, at)
	}
	t.lock.seen = at
	switch t.lock.kind {
	case events.LockUser:
	case events.LockUnknown:
		c.count(at, func(w *window) *uint64 { return &w.locks.Unknown })
	default:
		t.lock.notBefore = at
	}
	c.pinsSeen(t, at)
	c.count(at, func(w *window) *uint64 { return &w.locks.Observations })
}

// observedAs is observed for a record that says itself what was found. If that is not what was last told, the record that told it
// was lost.
func (c *Correlator) observedAs(t *thread, kind uint8, at events.Time) {
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
	c.observed(t, at)
}

// forgetLocks: the process executes another program, of whose runtime nothing is known.
func (c *Correlator) forgetLocks(at events.Time) {
	c.cfg.Locks, c.cfg.Sysmon, c.cfg.TemplateThread = false, 0, 0
	for _, t := range c.threads {
		c.unlocked(t)
		c.settlePins(t, at)
		t.m, t.lock, t.told = mIdentity{}, lock{}, lock{}
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
	case !t.m.known && t.lock.kind == events.LockForeign && !t.byGo:
		return "foreign"
	}
	return "unknown"
}

// lockState is the word for the lock in reports.
func lockState(t *thread) string {
	switch t.lock.kind {
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

// threadLock is the lock as last observed before the window's end.
func (c *Correlator) threadLock(t *thread, s *share, w *window) ThreadLock {
	l := &t.lock
	r := ThreadLock{State: lockState(t), Ext: l.ext, Int: l.internal, MaxExt: max(s.maxExt, l.ext), GoID: l.goid, Parked: l.parked, Holds: s.holds}
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
