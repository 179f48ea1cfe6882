package correlate

import "github.com/pinwatch/pinwatch/events"

// lock holds the last read state of a thread's lock. Between two reads it can have been released
// and taken again.
type lock struct {
	kind          uint8 // events.Lock…
	parked        bool  // the goroutine does not run
	fromMemory    bool  // read from the process's memory, not sent by the thread itself
	ofRuntime     bool  // by a LockOSThread of the runtime itself, as for os/signal
	ext, internal uint32
	goid, entry   uint64
	seen          events.Time // the last read that found it so
	since         events.Time // held from here on at least; 0 = not held
	notBefore     events.Time // and not before; 0 = not known
}

// lockAtEnd holds the lock as last read when the last window ended. Until that window is settled
// threads may take other locks.
type lockAtEnd struct {
	lock
	kind uint8 // as thread.lockKind
}

// lockedTo is the goroutine that a parked thread waits for.
type lockedTo struct {
	kind        uint8 // of its lock
	goid, entry uint64
}

// Words of Population.Locked.
const (
	lockedTrue    = "true"
	lockedFalse   = "false"
	lockedUnknown = "unknown"
)

// lockedPart returns whether a thread can run its goroutine only, whether the user or the runtime
// locked it.
func lockedPart(kind uint8) part {
	switch kind {
	case events.LockUser, events.LockRuntime, events.LockOrphan:
		return partTrue
	case events.LockNone, events.LockForeign:
		return partFalse
	}
	return partUnknown
}

// heldByUser reports whether LockOSThread holds a thread. The runtime may have called it, see
// lock.ofRuntime.
func heldByUser(kind uint8) bool { return kind == events.LockUser }

// lockTracker follows the locks of threads from read to read, and the calls of LockOSThread that
// the probe sees.
type lockTracker struct {
	windows  *windows
	program  *program
	held     uint64 // threads locked by the user now
	pinsLost bool   // records of calls of LockOSThread were lost
	// first is the thread of the first call that the probe saw. starter is the thread of the call
	// that started the template thread. That is the only place where a call's goroutine can be
	// moved to another thread before it counts the lock (runtime.startTemplateThread; the rest is
	// nosplit). nil = none, or the call has been found.
	first, starter *thread
}

// set replaces what is known of a lock by what a read found. A read that proves nothing changes
// nothing that is known.
func (l *lockTracker) set(t *thread, now lock, read events.Time) {
	t.lockUnknown = now.kind == events.LockUnknown || now.kind == events.LockUnread
	if t.lockUnknown {
		return
	}
	was := t.lock
	now.seen, now.notBefore = read, was.notBefore
	switch {
	case !heldByUser(now.kind):
		l.release(t)
		now.notBefore = read
	case heldByUser(was.kind) && was.goid == now.goid:
		now.since, now.ofRuntime = was.since, was.ofRuntime
	default:
		l.findMovedCall(t, now.goid)
		begun := t.pins.holdBegin(now.goid)
		now.since = read
		if heldByUser(was.kind) {
			now.notBefore = was.seen
		}
		if begun != 0 { // the probe saw it begin
			now.since, now.notBefore = begun, begun
		}
		now.ofRuntime = l.program.ofRuntime(now.entry)
		// Coroutines pass a lock to each other and back (runtime/coro.go): the return to the holder
		// before is no new lock.
		if now.ofRuntime {
			l.release(t)
		} else {
			l.hold(t, now.since, !heldByUser(was.kind) || begun != 0 || now.goid != t.holderBefore)
		}
		t.holderBefore = was.goid
	}
	t.lock = now
	if heldByUser(now.kind) || now.fromMemory {
		l.checkPins(t, read, t.pins.sleptSince(t.lastOut, t.preempted))
	}
	l.noteDepth(t, read)
}

// hold counts a thread that the user holds, and a hold that was seen to begin (fresh).
func (l *lockTracker) hold(t *thread, since events.Time, fresh bool) {
	if !t.held {
		t.held = true
		l.held++
	}
	for _, w := range l.windows.list {
		if since >= w.endOrMax() {
			continue // it has ended and is not settled
		}
		w.lockedMax = max(w.lockedMax, l.held)
	}
	if w := l.windows.find(since, since); fresh && w != nil {
		l.windows.share(w, t).holds++
	}
}

// release ends the user's hold of a thread, if there is one: it ended between the last read and
// now.
func (l *lockTracker) release(t *thread) {
	if t.held {
		t.held = false
		l.held--
	}
}

func (l *lockTracker) noteDepth(t *thread, read events.Time) {
	if t.lock.ext == 0 {
		return
	}
	if w := l.windows.find(read, read); w != nil {
		s := l.windows.share(w, t)
		s.maxExt = max(s.maxExt, t.lock.ext)
	}
}

// observe notes that the thread has read its lock, and found it as it last sent it. Only when the
// thread left its CPU voluntarily (blocked) was it certainly not inside LockOSThread, past the
// probe.
func (l *lockTracker) observe(t *thread, read events.Time, blocked bool) {
	l.observeTimes(t, read, blocked, 1)
}

// observeTimes is observe for the last of n reads that all found the same.
func (l *lockTracker) observeTimes(t *thread, read events.Time, blocked bool, n uint64) {
	if !l.program.locks || t.sent.kind == events.LockUnread {
		return
	}
	if (t.lock.fromMemory || t.lockUnknown) && read > t.lock.seen {
		l.set(t, t.sent, read)
	}
	if w := l.windows.find(read, read); w != nil {
		w.locks.Observations += n
		if t.lockUnknown {
			w.locks.Unknown += n
		}
	}
	if t.lockUnknown {
		return
	}
	t.lock.seen = read
	if !heldByUser(t.lock.kind) {
		t.lock.notBefore = read
	}
	l.checkPins(t, read, blocked)
}

// observeKind is observe for a record that holds the kind of lock itself. If that is not the kind
// last sent, the record that sent it was lost.
func (l *lockTracker) observeKind(t *thread, kind uint8, read events.Time, blocked bool) {
	if kind == events.LockUnread {
		return
	}
	if kind != t.sent.kind {
		t.sent = lock{kind: events.LockUnknown}
		if kind == events.LockNone || kind == events.LockForeign {
			t.sent.kind = kind // such a lock has no other fields
		}
		l.set(t, t.sent, read)
	}
	l.observe(t, read, blocked)
}

// setIOWorker notes that the kernel made the thread for its own work. It runs no goroutine, and
// nothing holds it.
func (l *lockTracker) setIOWorker(t *thread) {
	t.ioWorker = true
	t.lock.kind = events.LockForeign
}

// forget forgets the lock of a thread: the process executes another program, and nothing is known
// of its runtime.
func (l *lockTracker) forget(t *thread, moment events.Time) {
	l.release(t)
	l.settlePins(t, moment)
	t.m, t.lock, t.sent, t.lockUnknown = mIdentity{}, lock{}, lock{}, false
}

// threadM handles a ThreadM: the thread is this M. Threads of C code may be another one later.
func (c *Correlator) threadM(e *events.Event) {
	m := mIdentity{known: true, id: int64(e.Args[events.ArgMID]), start: e.Args[events.ArgMStart],
		extra: e.Args[events.ArgExtra] != 0}
	fromMemory := e.Args[events.ArgMRead] != 0
	if fromMemory && c.sleepers.readM(e.TID, m) {
		return
	}
	if t := c.livingThread(e, fromMemory); t != nil {
		t.m = m
	}
}

// livingThread returns the thread of an event; nil when it has ended. An event read from memory
// makes no thread: its thread may have ended meanwhile.
func (c *Correlator) livingThread(e *events.Event, fromMemory bool) *thread {
	if t := c.threads.get(e.TID); t != nil && t.deadAt != 0 || t == nil && fromMemory {
		return nil
	}
	return c.threadOf(e.TID)
}

// lockEvent handles a Lock: the thread's lock is now this.
func (c *Correlator) lockEvent(e *events.Event) {
	now := lock{
		kind: e.Flags, goid: e.Args[events.ArgGoID], entry: e.Args[events.ArgEntry],
		ext: uint32(e.Args[events.ArgExt]), internal: uint32(e.Args[events.ArgInt]),
		parked: e.Args[events.ArgParked] != 0, fromMemory: e.Args[events.ArgRead] != 0,
	}
	if now.fromMemory {
		if c.sleepers.readLock(e) {
			return
		}
		c.wake(e.TID) // locked: it is listed
	}
	t := c.livingThread(e, now.fromMemory)
	if t == nil {
		return
	}
	if now.fromMemory {
		t.parked, t.awaited = now.parked, lockedTo{now.kind, now.goid, now.entry}
	} else {
		t.sent = now
	}
	c.locks.set(t, now, e.Time)
}
