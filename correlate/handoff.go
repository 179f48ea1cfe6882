package correlate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// run is one stretch of a thread's time on a CPU.
type run struct {
	in, out   events.Time
	preempted bool // it was still runnable when it ended
}

// ran remembers a run, so that what the thread did in it can be judged when another one's record tells of it.
func (t *thread) ran(in, out events.Time, preempted bool) {
	t.runs[t.runsNext] = run{in, out, preempted}
	t.runsNext = (t.runsNext + 1) % uint8(len(t.runs))
}

// until is when the thread left its CPU, of its own will, after it was on it at a moment.
func (t *thread) until(at events.Time) (out events.Time, ok bool) {
	for i := range uint8(len(t.runs)) { // the newest first: it is nearly always that
		if r := &t.runs[(t.runsNext-1-i)%uint8(len(t.runs))]; r.in <= at && at <= r.out && r.in != 0 {
			return r.out, !r.preempted
		}
	}
	return 0, false
}

// handoff handles the waking of a locked thread for its goroutine: t waited in the scheduler and a thread of the target woke it
// (runtime.startlockedm). That thread has given its P away, so it leaves its CPU next (stopm): what it needs until then is paid for the
// hand-off alone. A waking before the switch-out counts from the switch-out.
func (c *Correlator) handoff(t *thread, e *events.Event, woken, in events.Time) {
	waker := uint32(e.Args[events.ArgWaker])
	if !t.parked || waker == 0 || waker == t.tid || lockedPart(t.waiter.kind) != partTrue {
		return
	}
	s := sample{phase: phaseHandoffWake, group: group{locked: partTrue}, begin: woken, end: in}
	s.late = !e.Has(events.SwitchWake)
	s.moved = e.Args[events.ArgWhy] == whyWakeup && e.LastCPU() != int(e.CPU)
	c.record(&s)
	cpu := int64(0)
	if w := c.threads.get(waker); w != nil && !c.cfg.Aggregate {
		if out, ok := w.until(woken); ok {
			s.phase, s.end = phaseHandoffCPU, out
			c.record(&s)
			cpu = int64(out - woken)
		}
	}
	if w := c.inner(in, in); w != nil {
		c.handedOff(w, t, &Handoff{N: 1, WakeNS: int64(in - woken), CPUNS: cpu})
	}
}

// handedOff adds to what hand-offs to a thread cost, and to the ledger.
func (c *Correlator) handedOff(w *window, t *thread, cost *Handoff) {
	c.share(w, t) // which woken goes with
	l := &t.woken[w.slot]
	l.to(w, t)
	l.add(cost)
	l.account.add(cost)
}

func (h *Handoff) add(o *Handoff) {
	h.N += o.N
	h.WakeNS += o.WakeNS
	h.CPUNS += o.CPUNS
}

// woken is what hand-offs to a thread cost, for the goroutine that was woken last.
type woken struct {
	Handoff
	goid    uint64
	entry   uint64
	tid     int32
	account *account // the window's, of that entry, which names that tid; nil = to be found
	any     bool     // there was a hand-off
	changed bool     // there was one to another goroutine before, in this window
}

// to makes the goroutine that a thread waits for the one that is woken.
func (l *woken) to(w *window, t *thread) {
	if l.account != nil && l.goid == t.waiter.goid && l.entry == t.waiter.entry && l.tid == t.nsTID {
		return
	}
	if l.goid != t.waiter.goid {
		*l = woken{goid: t.waiter.goid, changed: l.any}
	}
	l.entry, l.tid, l.account, l.any = t.waiter.entry, t.nsTID, w.account(t.waiter.entry), true
	l.account.names(t.nsTID)
}

// follow adds those of a later part of the window.
func (l *woken) follow(o *woken) {
	switch {
	case !o.any:
	case o.changed || o.goid != l.goid:
		changed := o.changed || l.any
		*l = *o
		l.account, l.changed = nil, changed // the account was the part's
	default:
		l.add(&o.Handoff)
		l.any = true
	}
}

// account is what a window's ledger holds of one function.
type account struct {
	Handoff
	threads map[int32]bool
}

// account is the ledger's page of one function.
func (w *window) account(entry uint64) *account {
	a := w.ledger[entry]
	if a == nil {
		a = &account{threads: map[int32]bool{}}
		w.ledger[entry] = a
	}
	return a
}

// names adds a thread that was woken.
func (a *account) names(tid int32) {
	if len(a.threads) < maxAccountThreads {
		a.threads[tid] = true
	}
}

// merge adds the account of a part of the window.
func (a *account) merge(o *account) {
	a.add(&o.Handoff)
	for tid := range o.threads {
		a.names(tid)
	}
}

// maxAccountThreads bounds the threads that an account names.
const maxAccountThreads = 1024

// waiter is the goroutine that a parked thread waits for.
type waiter struct {
	kind        uint8 // of its lock
	goid, entry uint64
}

// handoffRows is the ledger by function, dearest first.
func (c *Correlator) handoffRows(w *window) []HandoffTo {
	byName := map[string]*HandoffTo{}
	for _, entry := range sortedKeys(w.ledger) {
		a, name := w.ledger[entry], ""
		if entry != 0 {
			name = c.cfg.Func(entry)
		}
		row := byName[name]
		if row == nil {
			row = &HandoffTo{Entry: name}
			byName[name] = row
		}
		row.N += a.N
		row.WakeNS += a.WakeNS
		row.CPUNS += a.CPUNS
		row.Threads = append(row.Threads, slices.Collect(maps.Keys(a.threads))...)
	}
	var rows []HandoffTo
	for _, row := range byName {
		slices.Sort(row.Threads)
		row.Threads = slices.Compact(row.Threads)
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b HandoffTo) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Entry, b.Entry)) })
	return rows
}

// resume is the wait of a preempted goroutine's thread for it.
type resume struct {
	parkedAt events.Time // 0 = not yet
	of       group
}

// park handles a Park: a locked thread leaves its CPU by itself for the first time since its goroutine was preempted. That may be long
// after, and for another reason; what gives up the goroutine for the preemption is one of two functions (runtime/preempt.go,
// asyncPreempt2).
func (c *Correlator) park(e *events.Event) {
	t := c.known(e.TID)
	if t.spans[spanResume].begin == 0 {
		return
	}
	if c.class(whatPark, e.Args[events.ArgStack]).cause != causeGivenUp {
		t.drop(spanResume)
		return
	}
	t.resume.parkedAt = e.Time
	c.begun(phaseResume, t.resume.of, t.spans[spanResume].begin)
}

// resumed is a switch-in: of a thread that waited for its preempted goroutine, the end of that.
func (c *Correlator) resumed(t *thread, in events.Time) {
	if t.begun&(1<<spanLastResume|1<<spanResume) != 0 {
		c.endResume(t, spanLastResume, &t.lastResume, in)
		c.endResume(t, spanResume, &t.resume, in)
	}
}

func (c *Correlator) endResume(t *thread, k spanKind, r *resume, in events.Time) {
	if r.parkedAt == 0 || in <= r.parkedAt {
		return
	}
	s := t.close(k, phaseResume, in)
	s.group, s.anchor = r.of, s.begin
	*r = resume{}
	c.complete(&s) // its time off the CPU is known: it ends with an absence
}

// notResumed forgets the waits from before a moment: they have ended nobody knows when.
func (t *thread) notResumed(at events.Time) {
	if r := &t.lastResume; r.parkedAt != 0 {
		t.drop(spanLastResume)
		*r = resume{}
	}
	if r := &t.resume; r.parkedAt != 0 && r.parkedAt < at {
		t.drop(spanResume)
		*r = resume{}
	}
}
