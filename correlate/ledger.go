package correlate

import (
	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/correlate/stats"
	"github.com/pinwatch/pinwatch/events"
)

// ledger holds the counters of one window. Intervals are parts of the whole observation: an event
// inside an interval is counted once, in the interval's ledger, which is added to the whole's when
// the interval is settled. Losses, broken links and lockedMax are different: every window counts
// them when they happen.
type ledger struct {
	counts       Counts
	paused       int64 // ns in which the process was stopped or frozen
	execs        uint64
	sent         uint64
	notInjected  uint64
	loss         Loss
	moves        moves
	costs        [phaseCount]costs
	locks        LockView
	lockedMax    uint64 // threads locked by the user at one time, at most
	exitedLocked uint64
	exitedUnread uint64 // threads that ended before locks were read: whether locked is unknown
	madeUnread   uint64 // threads that were created before that
	causes       map[*reason]uint64
	unclassified map[stackKey]uint64    // stacks of the cause "other"
	sites        map[uint64]*siteCounts // by stack
	parentDeaths map[parentDeath]deathCounts
	delays       map[delayKey]*delays
	calls        map[callEnd]callEnds
	handoffs     map[uint64]*entryHandoffs // by the function that the woken goroutine began with
	endRelays    stats.Histogram           // as in Result
	stops        [stopKinds]stopCounts
	stopDelays   map[stopDelayKey]stopDelayCounts // of these, those that took StopDelayed or longer
}

func newLedger() ledger {
	return ledger{
		causes: map[*reason]uint64{}, unclassified: map[stackKey]uint64{},
		parentDeaths: map[parentDeath]deathCounts{}, stopDelays: map[stopDelayKey]stopDelayCounts{},
		delays: map[delayKey]*delays{}, calls: map[callEnd]callEnds{},
		sites: map[uint64]*siteCounts{}, handoffs: map[uint64]*entryHandoffs{},
		loss:  Loss{ByKind: map[string]uint64{}},
		moves: moves{byDistance: map[string]uint64{}},
	}
}

// parentDeath is a kind of ending of threads whose children get a signal then.
type parentDeath struct {
	signal   int
	function string // as ParentDeath.Function
}

type deathCounts struct{ threads, children uint64 }

// add adds the ledger of an interval.
func (l *ledger) add(o *ledger) {
	l.paused += o.paused
	l.execs += o.execs
	l.sent += o.sent
	l.notInjected += o.notInjected
	l.exitedLocked += o.exitedLocked
	l.exitedUnread += o.exitedUnread
	l.madeUnread += o.madeUnread
	l.counts.add(&o.counts)
	l.locks.Observations += o.locks.Observations
	l.locks.Unknown += o.locks.Unknown
	l.moves.add(&o.moves)
	for p := range o.costs {
		for i, k := range o.costs[p] {
			if k != nil {
				l.costs[p].row(part(i)).merge(k)
			}
		}
	}
	addAll(l.causes, o.causes)
	addAll(l.unclassified, o.unclassified)
	for stack, s := range o.sites {
		l.site(stack).add(s)
	}
	for key, d := range o.parentDeaths {
		sum := l.parentDeaths[key]
		l.parentDeaths[key] = deathCounts{sum.threads + d.threads, sum.children + d.children}
	}
	for key, n := range o.calls {
		l.addCalls(key, n)
	}
	for key, d := range o.delays {
		l.delaysOf(key).merge(d)
	}
	for entry, h := range o.handoffs {
		l.entry(entry).merge(h)
	}
	l.endRelays.Merge(&o.endRelays)
	l.addStops(o)
}

func addAll[K comparable](sum, more map[K]uint64) {
	for k, n := range more {
		sum[k] += n
	}
}

// site returns the counters of the calls of LockOSThread with one stack.
func (l *ledger) site(stack uint64) *siteCounts {
	if l.sites[stack] == nil {
		l.sites[stack] = &siteCounts{}
	}
	return l.sites[stack]
}

// entry returns the hand-offs to goroutines that began with one function.
func (l *ledger) entry(pc uint64) *entryHandoffs {
	h := l.handoffs[pc]
	if h == nil {
		h = &entryHandoffs{threads: map[int32]bool{}}
		l.handoffs[pc] = h
	}
	return h
}

// add adds the counts that grow with events; the others are made for each Result.
func (n *Counts) add(o *Counts) {
	n.ThreadsCreated += o.ThreadsCreated
	n.ThreadsExited += o.ThreadsExited
	n.ThreadsKilled += o.ThreadsKilled
	n.SigurgGenerated += o.SigurgGenerated
	n.SigurgCoalesced += o.SigurgCoalesced
	n.SigurgDelivered += o.SigurgDelivered
	n.SigurgForeign += o.SigurgForeign
}

// moves are a window's migrations.
type moves struct {
	byWhy      [len(whyNames)]uint64
	byDistance map[string]uint64
}

// whyNames are the words of the report for the reasons of a migration.
var whyNames = [...]string{events.WhyUnknown: "unknown", events.WhyWakeup: "wakeup", events.WhyBalance: "balance",
	events.WhyAffinity: "affinity"}

func (m *moves) add(o *moves) {
	for why, n := range o.byWhy {
		m.byWhy[why] += n
	}
	addAll(m.byDistance, o.byDistance)
}

func (m *moves) result() Moves {
	r := Moves{ByWhy: map[string]uint64{}, ByDistance: m.byDistance}
	for why, n := range m.byWhy {
		if n > 0 {
			r.ByWhy[whyNames[why]] = n
		}
	}
	return r
}

// count adds one to a counter of the innermost window that contains a moment.
func (ws *windows) count(moment events.Time, counter func(*ledger) *uint64) {
	if w := ws.find(moment, moment); w != nil {
		*counter(&w.ledger)++
	}
}

// countCause counts a cause in the innermost window that contains a moment.
func (ws *windows) countCause(r *reason, stack uint64, moment events.Time) {
	w := ws.find(moment, moment)
	if w == nil {
		return
	}
	w.causes[r]++
	if r.Cause == cause.Other {
		w.unclassified[stackKey{r.what, stack}]++
	}
}

// record adds a sample to the innermost window that holds it whole.
func (ws *windows) record(s *sample) {
	from, to := s.begin, s.end
	if s.anchor != 0 {
		from, to = min(from, s.anchor), max(to, s.anchor)
	}
	if w := ws.find(from, to); w != nil {
		w.costs[s.phase].add(s)
	}
}

// begin counts an interval that begins, so that the number of those without an end is known.
func (ws *windows) begin(p phase, of group, moment events.Time) {
	if w := ws.find(moment, moment); w != nil {
		w.costs[p].begin(of)
	}
}

// breakLink counts, in every window, a place where consecutive records do not join.
func (ws *windows) breakLink() {
	for _, w := range ws.list {
		w.loss.BrokenLinks++
	}
}
