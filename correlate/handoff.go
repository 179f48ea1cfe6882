package correlate

import (
	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/correlate/stats"
	"github.com/pinwatch/pinwatch/events"
)

// countHandoff counts the wake-up of a locked thread for its goroutine: t waited in the scheduler
// and a thread of the target woke it (runtime.startlockedm). The waker has given its P away, so it
// leaves its CPU next (stopm): its CPU time until then is the price of the hand-off. A wake-up
// before the switch-out counts from the switch-out.
func (c *Correlator) countHandoff(t *thread, e *events.Event, woken, in events.Time) {
	waker := uint32(e.Args[events.ArgWaker])
	if !t.parked || waker == 0 || waker == t.tid || lockedPart(t.awaited.kind) != partTrue {
		return
	}
	s := sample{phase: phaseHandoffWake, group: group{locked: partTrue}, begin: woken, end: in}
	s.fromSwitchOut = !e.Has(events.SwitchWake)
	s.moved = e.Args[events.ArgWhy] == events.WhyWakeup && e.LastCPU() != int(e.CPU)
	c.windows.record(&s)
	cpu := int64(0)
	if w := c.threads.get(waker); w != nil && !c.cfg.Aggregate {
		if out, ok := w.voluntaryEnd(woken); ok {
			s.phase, s.end = phaseHandoffCPU, out
			c.windows.record(&s)
			cpu = int64(out - woken)
		}
	}
	if w := c.windows.find(in, in); w != nil {
		c.windows.addHandoffs(w, t, &Handoff{N: 1, WakeNS: int64(in - woken), CPUNS: cpu}).wake.Add(int64(in - woken))
	}
}

// relay is the turn of a thread that a locked thread woke, over its preemptions: before a locked
// thread waits or ends, it gives its P to another one (runtime.handoffp).
type relay struct {
	kind  uint8  // of the waker's lock; 0 = no relay
	entry uint64 // the first function of the waker's goroutine
	run   int64  // ns so far
}

// countRelay adds a run, from in until now, to the relay that it is a part of. It comes before the
// thread notes that switch-out.
func (c *Correlator) countRelay(t *thread, e *events.Event, in, now events.Time) {
	r := &t.relay
	if !t.preempted {
		*r = relay{}
		if waker := uint32(e.Args[events.ArgWaker]); waker != 0 && waker != t.tid {
			if w := c.threads.get(waker); w != nil && (heldByUser(w.lockKind()) || w.lockKind() == events.LockOrphan) {
				r.kind, r.entry = w.lock.kind, w.lock.entry
			}
		}
	}
	if r.kind == 0 || heldByUser(t.lockKind()) || c.program.isTemplate(t) { // its whole time is for pinned threads
		return
	}
	r.run += int64(now - in)
	if e.Has(events.SwitchPreempted) {
		return
	}
	if w := c.windows.find(now, now); w != nil {
		if r.kind == events.LockOrphan {
			w.endRelays.Add(r.run)
		} else {
			w.entry(r.entry).relays.Add(r.run)
		}
	}
	*r = relay{}
}

// addHandoffs adds hand-offs to a thread's and to the ledger's, which it returns.
func (ws *windows) addHandoffs(w *window, t *thread, more *Handoff) *entryHandoffs {
	ws.share(w, t) // begins t.handoffs, too
	h := &t.handoffs[w.slot]
	h.setGoroutine(w, t)
	h.add(more)
	h.entryHandoffs.add(more)
	return h.entryHandoffs
}

func (h *Handoff) add(o *Handoff) {
	h.N += o.N
	h.WakeNS += o.WakeNS
	h.CPUNS += o.CPUNS
}

// threadHandoffs are a window's hand-offs to a thread, for the goroutine that was woken last.
type threadHandoffs struct {
	Handoff
	goid          uint64
	entry         uint64
	tid           int32
	entryHandoffs *entryHandoffs // the ledger's of that entry, with that tid; nil = to be found
	any           bool           // there was a hand-off
	changed       bool           // there was one to another goroutine before, in this window
}

// setGoroutine makes the goroutine that the thread awaits the one that is woken.
func (h *threadHandoffs) setGoroutine(w *window, t *thread) {
	if h.entryHandoffs != nil && h.goid == t.awaited.goid && h.entry == t.awaited.entry && h.tid == t.nsTID {
		return
	}
	if h.goid != t.awaited.goid {
		*h = threadHandoffs{goid: t.awaited.goid, changed: h.any}
	}
	h.entry, h.tid, h.entryHandoffs, h.any = t.awaited.entry, t.nsTID, w.entry(t.awaited.entry), true
	h.entryHandoffs.addThread(t.nsTID)
}

// append adds those of a later part of the window.
func (h *threadHandoffs) append(o *threadHandoffs) {
	switch {
	case !o.any:
	case o.changed || o.goid != h.goid:
		changed := o.changed || h.any
		*h = *o
		h.entryHandoffs, h.changed = nil, changed // the part's ledger is another one
	default:
		h.add(&o.Handoff)
		h.any = true
	}
}

// entryHandoffs are a ledger's hand-offs to goroutines that began with one function.
type entryHandoffs struct {
	Handoff
	wake, relays stats.Histogram // as in EntryHandoff
	threads      map[int32]bool
}

// maxEntryThreads bounds the threads that are listed for one function.
const maxEntryThreads = 1024

func (h *entryHandoffs) addThread(tid int32) {
	if len(h.threads) < maxEntryThreads {
		h.threads[tid] = true
	}
}

// merge adds the hand-offs in a part of the window.
func (h *entryHandoffs) merge(o *entryHandoffs) {
	h.add(&o.Handoff)
	h.wake.Merge(&o.wake)
	h.relays.Merge(&o.relays)
	for tid := range o.threads {
		h.addThread(tid)
	}
}

// resume is the wait of a thread for its preempted goroutine.
type resume struct {
	parkedAt events.Time // 0 = not yet
	of       group
}

// park handles a Park: a locked thread leaves its CPU voluntarily for the first time since its
// goroutine was preempted. That may be long after, and for another reason: only two functions give
// up a goroutine for the preemption (runtime/preempt.go, asyncPreempt2).
func (c *Correlator) park(e *events.Event) {
	t := c.threadOf(e.TID)
	if t.spans[spanResume].begin == 0 {
		return
	}
	if c.program.reasonOf(cause.Park, e.Args[events.ArgStack]).Cause != cause.GivenUp {
		t.dropSpan(spanResume)
		return
	}
	t.resume.parkedAt = e.Time
	c.windows.begin(phaseResume, t.resume.of, t.spans[spanResume].begin)
}

// forgetResumes forgets the waits from before a moment: when they ended is not known.
func (t *thread) forgetResumes(moment events.Time) {
	if r := &t.lastResume; r.parkedAt != 0 {
		t.dropSpan(spanLastResume)
		*r = resume{}
	}
	if r := &t.resume; r.parkedAt != 0 && r.parkedAt < moment {
		t.dropSpan(spanResume)
		*r = resume{}
	}
}
