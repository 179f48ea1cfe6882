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
	for _, r := range t.runs {
		if r.in <= at && at <= r.out && r.in != 0 {
			return r.out, !r.preempted
		}
	}
	return 0, false
}

// handoff handles the waking of a locked thread for its goroutine: t waited in the scheduler and a thread of the target woke it
// (runtime.startlockedm). That thread has given its P away, so it leaves its CPU next (stopm): what it needs until then is paid for the
// hand-off alone. A waking before the switch-out counts from the switch-out.
func (c *Correlator) handoff(t *thread, waker uint32, woken, in events.Time) {
	if !t.parked || waker == 0 || waker == t.tid || lockedWord(t.waiter.kind) != lockedTrue {
		return
	}
	of := Population{Locked: lockedTrue}
	c.record(&sample{phase: phaseHandoffWake, Population: of, begin: woken, end: in})
	cpu := int64(0)
	if w := c.threads[waker]; w != nil {
		if out, ok := w.until(woken); ok {
			c.record(&sample{phase: phaseHandoffCPU, Population: of, begin: woken, end: out})
			cpu = int64(out - woken)
		}
	}
	for _, w := range c.windows {
		if !w.contains(in) {
			continue
		}
		s := w.share(t)
		if s.handoffTo != t.waiter.goid {
			s.handoff, s.handoffTo = Handoff{}, t.waiter.goid
		}
		if w.ledger[t.waiter.entry] == nil {
			w.ledger[t.waiter.entry] = &account{threads: map[int32]bool{}}
		}
		a := w.ledger[t.waiter.entry]
		if len(a.threads) < maxAccountThreads {
			a.threads[t.nsTID] = true
		}
		for _, h := range [...]*Handoff{&s.handoff, &a.Handoff} {
			h.N++
			h.WakeNS += int64(in - woken)
			h.CPUNS += cpu
		}
	}
}

// account is what a window's ledger holds of one function.
type account struct {
	Handoff
	threads map[int32]bool
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
	of       Population
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
		t.spans[spanResume] = span{}
		return
	}
	t.resume.parkedAt = e.Time
	c.begun(phaseResume, t.resume.of, t.spans[spanResume].begin)
}

// resumed is a switch-in: of a thread that waited for its preempted goroutine, the end of that.
func (c *Correlator) resumed(t *thread, in events.Time) {
	c.endResume(t, spanLastResume, &t.lastResume, in)
	c.endResume(t, spanResume, &t.resume, in)
}

func (c *Correlator) endResume(t *thread, k spanKind, r *resume, in events.Time) {
	if r.parkedAt == 0 || in <= r.parkedAt {
		return
	}
	s := t.close(k, phaseResume, in)
	s.Population, s.anchor = r.of, s.begin
	*r = resume{}
	c.complete(&s) // its time off the CPU is known: it ends with an absence
}

// notResumed forgets the waits from before a moment: they have ended nobody knows when.
func (t *thread) notResumed(at events.Time) {
	if r := &t.lastResume; r.parkedAt != 0 {
		t.spans[spanLastResume], *r = span{}, resume{}
	}
	if r := &t.resume; r.parkedAt != 0 && r.parkedAt < at {
		t.spans[spanResume], *r = span{}, resume{}
	}
}
