package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/stats"
)

// At one time there are at most the whole observation, an interval that has ended but is not settled, and the one after it.
const maxWindows = 3

// MaxEndedThreads is how many ended threads a Result lists at least; of the others only the sums are kept.
const MaxEndedThreads = 1000

const forgetFrom = 4 * MaxEndedThreads

// window collects what happens in [start, end).
type window struct {
	id         uint32
	slot       int // in thread.shares
	start, end events.Time
	interval   bool
	execs      uint64

	counts       Counts
	notInjected  uint64
	loss         Loss
	moves        Moves
	costs        map[costKey]*cost
	locks        LockView
	lockedMax    uint64
	exitedLocked uint64
	causes       map[causeKey]uint64
	others       map[classKey]uint64
	sites        map[uint64]*site    // by stack
	ledger       map[uint64]*account // by the function that the woken goroutine began with
	threads      []*thread           // those with a share
	forgetAt     int                 // look for ended threads when there are more than this
	dropped      share               // sums over threads no longer listed
	droppedN     uint64
}

// costKey is one row: of the population at most one field is set.
type costKey struct {
	phase phase
	Population
}

// rows are the populations that a sample belongs to: all, and one along each dimension.
func (p Population) rows() []Population {
	rows := append(make([]Population, 0, 4), Population{})
	if p.Locked != "" {
		rows = append(rows, Population{Locked: p.Locked})
	}
	if p.Cause != "" {
		rows = append(rows, Population{Cause: p.Cause})
	}
	if p.State != "" {
		rows = append(rows, Population{State: p.State})
	}
	return rows
}

type cost struct {
	begun, n, outs, clone3 uint64
	offN                   uint64  // samples whose off-CPU time is known
	off                    float64 // its sum, ns
	hist                   stats.Histogram
}

// share is one thread's part of one window.
type share struct {
	window     uint32 // whose it is; a slot's window changes
	switches   uint64
	migrations uint64
	time       [4]int64 // by timeClass, ns
	cpus       []uint16

	maxExt    uint32
	holds     uint64
	handoff   Handoff // to the goroutine that was woken last
	handoffTo uint64
}

func (s *share) ranOn(cpu uint16) {
	if i, found := slices.BinarySearch(s.cpus, cpu); !found {
		s.cpus = slices.Insert(s.cpus, i, cpu)
	}
}

func (w *window) until() events.Time {
	if w.end == 0 {
		return math.MaxInt64
	}
	return w.end
}

func (w *window) contains(t events.Time) bool { return t >= w.start && t < w.until() }

func (w *window) share(t *thread) *share {
	s := &t.shares[w.slot]
	if s.window != w.id {
		*s = share{window: w.id}
		w.threads = append(w.threads, t)
		if len(w.threads) > w.forgetAt {
			w.forgetEnded()
			w.forgetAt = max(forgetFrom, 2*len(w.threads)) // many may live: a pass must pay
		}
	}
	return s
}

// forgetEnded keeps the busiest of the ended threads and only sums of the others, so that churn costs no memory.
func (w *window) forgetEnded() {
	alive := w.threads[:0:0]
	var ended []*thread
	for _, t := range w.threads {
		if t.deadAt != 0 {
			ended = append(ended, t)
		} else {
			alive = append(alive, t)
		}
	}
	sort.SliceStable(ended, func(i, j int) bool {
		return ended[i].shares[w.slot].time[classRun] > ended[j].shares[w.slot].time[classRun]
	})
	keep := min(len(ended), MaxEndedThreads)
	for _, t := range ended[keep:] {
		s := &t.shares[w.slot]
		w.dropped.switches += s.switches
		w.dropped.migrations += s.migrations
		w.droppedN++
	}
	w.threads = append(alive, ended[:keep]...)
}

func (w *window) cost(p phase, of Population) *cost {
	k := costKey{p, of}
	if w.costs[k] == nil {
		w.costs[k] = &cost{}
	}
	return w.costs[k]
}

func (w *window) begin(p phase, of Population) {
	for _, row := range of.rows() {
		w.cost(p, row).begun++
	}
}

func (w *window) add(s *sample) {
	for _, row := range s.rows() {
		w.cost(s.phase, row).add(s)
	}
}

func (k *cost) add(s *sample) {
	k.n++
	k.outs += uint64(s.outs)
	if s.clone3 {
		k.clone3++
	}
	if !s.vague {
		k.offN++
		k.off += float64(s.off)
	}
	k.hist.Add(int64(s.end - s.begin))
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
		id: c.nextWin, slot: slot, start: start, interval: interval, costs: map[costKey]*cost{}, forgetAt: forgetFrom,
		lockedMax: c.locked, causes: map[causeKey]uint64{}, others: map[classKey]uint64{}, sites: map[uint64]*site{}, ledger: map[uint64]*account{},
		loss:  Loss{ByKind: map[string]uint64{}},
		moves: Moves{ByWhy: map[string]uint64{}, ByDistance: map[string]uint64{}},
	})
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
	for _, t := range c.threads {
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
	for _, t := range c.threads {
		if e.Flags&events.WindowTargetEnded != 0 && t.deadAt == 0 {
			c.brokenLink()
			t.deadAt = e.Time - 1
			c.account(t, classUnknown, t.accounted, t.deadAt)
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
	keep := c.windows[:0]
	var whole *Result
	for _, w := range c.windows {
		switch {
		case w.end == 0:
			keep = append(keep, w)
		case w.interval:
			done = append(done, c.result(w))
		default:
			whole = c.result(w)
		}
	}
	c.windows = keep
	if whole != nil {
		done = append(done, whole)
	}
	return done
}

func (c *Correlator) result(w *window) *Result {
	r := &Result{Start: w.start, End: w.end, Interval: w.interval, Counts: w.counts, Loss: w.loss, Moves: w.moves, Locks: w.locks}
	r.Causes, r.Unclassified = c.causeRows(w)
	r.Sites = c.siteRows(w)
	r.Handoffs = c.handoffRows(w)
	var locked uint64
	if c.cfg.AsyncPreempt != 0 {
		r.Counts.SigurgNotInjected = &w.notInjected
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
		r.Counts.ThreadsExitedLocked = &w.exitedLocked
		w.lockedMax = max(w.lockedMax, locked)
	}
	r.Counts.Switches += w.dropped.switches
	r.Counts.Migrations += w.dropped.migrations
	r.ThreadsOmitted = w.droppedN
	sort.Slice(r.Threads, func(i, j int) bool { return r.Threads[i].TID < r.Threads[j].TID })
	r.Costs = w.costRows()
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
	if s.handoffTo == t.atEnd.goid {
		r.Handoff = s.handoff
	}
	if t.m.known && !(t.m.extra && t.atEnd.kind == events.LockForeign) { // it has given that M back
		id := t.m.id
		r.M = &id
	}
	if w.contains(t.createdAt) {
		r.StartedAt = t.createdAt
		r.Cause, r.CauseFunction = t.createdFor.cause, t.createdFor.function
	}
	if t.deadAt != 0 && w.contains(t.deadAt) {
		r.ExitedAt = t.deadAt
	}
	for _, cpu := range s.cpus {
		r.CPUs = append(r.CPUs, int(cpu))
	}
	return r
}

// costRows lists every phase, the row over all samples first and then its parts along each dimension.
func (w *window) costRows() []Cost {
	parts := map[phase][]Population{}
	for k := range w.costs {
		if k.Population != (Population{}) {
			parts[k.phase] = append(parts[k.phase], k.Population)
		}
	}
	var rows []Cost
	for p := range phaseCount {
		rows = append(rows, w.costRow(p, Population{}))
		slices.SortFunc(parts[p], comparePopulations)
		for _, of := range parts[p] {
			rows = append(rows, w.costRow(p, of))
		}
	}
	return rows
}

// comparePopulations orders by dimension, locked first, then by word; what is not known comes last.
func comparePopulations(a, b Population) int {
	return cmp.Or(cmp.Compare(dimension(a), dimension(b)), cmp.Compare(wordRank(a), wordRank(b)),
		cmp.Compare(a.Locked+a.Cause+a.State, b.Locked+b.Cause+b.State))
}

func dimension(p Population) int {
	switch {
	case p.Locked != "":
		return 0
	case p.Cause != "":
		return 1
	}
	return 2
}

func wordRank(p Population) int {
	return slices.Index([]string{"true", "false", "on_cpu", "runnable", "blocked", causeOther, "unknown"}, p.Locked+p.Cause+p.State)
}

func (w *window) costRow(p phase, of Population) Cost {
	spec, k := &phases[p], w.cost(p, of)
	row := Cost{ID: spec.id, Phase: spec.name, Bound: spec.bound, Hist: k.hist, Unfinished: k.begun - min(k.n, k.begun), Hooks: HookRuns{}}
	row.Population = of
	if spec.oneThread && k.offN > 0 {
		off := k.off / float64(k.offN)
		row.OffCPU = &off
	}
	for _, name := range spec.programs {
		row.Hooks[name] += k.n
		if name == cloneExitProgram {
			row.Hooks[name] -= k.clone3
			row.Hooks[name+"3"] += k.clone3
		}
	}
	row.Hooks["sched_switch"] += 2 * k.outs
	if spec.warning != "" && k.n > 0 {
		row.Warnings = append(row.Warnings, spec.warning)
	}
	for _, kind := range spec.needs {
		if n := w.loss.ByKind[kind.String()]; n > 0 {
			row.Warnings = append(row.Warnings, fmt.Sprintf("%d %s records lost: samples are missing, n is a lower bound", n, kind))
			if row.Bound == "" {
				row.Bound = "lower"
			}
		}
	}
	if n := w.loss.ByKind[events.Switch.String()]; n > 0 && spec.oneThread && !slices.Contains(spec.needs, events.Switch) {
		row.Warnings = append(row.Warnings, fmt.Sprintf("%d switch records lost: off-CPU time is a lower bound", n))
	}
	return row
}
