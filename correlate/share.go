package correlate

import (
	"math/bits"

	"github.com/pinwatch/pinwatch/events"
)

// timeClass is a use of a thread's time.
type timeClass uint8

const (
	classUnknown timeClass = iota
	classRun
	classRunq
	classBlocked
	classPaused    // the process was stopped or frozen
	classThrottled // its cgroup's quota of CPU time was used up
	classCount
)

// share is one thread's part of one window.
type share struct {
	window     uint32 // the id of its window, since a slot's window changes
	place      int32  // of the thread in the window's list, or forgotten
	switches   uint64
	migrations uint64
	time       [classCount]int64 // by timeClass, ns
	cpus       cpuSet

	maxExt uint32
	holds  uint64
}

// share returns a thread's part of a window, which begins with this call.
func (ws *windows) share(w *window, t *thread) *share {
	if s := &t.shares[w.slot]; s.window == w.id {
		return s
	}
	return ws.newShare(w, t)
}

func (ws *windows) newShare(w *window, t *thread) *share {
	if len(w.threads) >= w.forgetAt {
		ws.forgetEnded(w)
		w.forgetAt = max(forgetFrom*ws.keep, 2*len(w.threads)) // many may live: a pass must pay
	}
	s := &t.shares[w.slot]
	*s, t.handoffs[w.slot] = share{window: w.id}, threadHandoffs{}
	w.list(t)
	return s
}

// moveShare moves a thread's share of an interval to the whole. The interval keeps it until it has
// arrived: a thread without a share could be forgotten meanwhile.
func (ws *windows) moveShare(whole, w *window, t *thread) {
	s := &t.shares[w.slot]
	ws.share(whole, t).add(s)
	t.handoffs[whole.slot].append(&t.handoffs[w.slot])
	*s = share{}
}

// add adds the share of a later part of the window.
func (s *share) add(o *share) {
	s.switches += o.switches
	s.migrations += o.migrations
	for class, ns := range o.time {
		s.time[class] += ns
	}
	s.cpus.addAll(&o.cpus)
	s.maxExt = max(s.maxExt, o.maxExt)
	s.holds += o.holds
}

// accountTurn accounts an absence and the run after it on a CPU, which ends now.
func (ws *windows) accountTurn(t *thread, cpu uint16, out, wake, in, now events.Time) {
	if out != t.accounted || out < ws.boundary || ws.open == nil || out > wake || wake > in || in > now ||
		out <= ws.bans.newest {
		ws.account(t, classUnknown, t.accounted, out)
		ws.accountOff(t, classBlocked, cpu, out, wake)
		ws.accountOff(t, classRunq, cpu, wake, in)
		ws.account(t, classRun, in, now)
		return
	}
	t.accounted = now
	s := ws.share(ws.open, t) // nearly always: the turn joins the one before, and has no boundary in it
	s.time[classBlocked] += int64(wake - out)
	s.time[classRunq] += int64(in - wake)
	s.time[classRun] += int64(now - in)
}

// account attributes [from, to) of a thread's time, except what is attributed already.
func (ws *windows) account(t *thread, class timeClass, from, to events.Time) {
	from = max(from, t.accounted)
	if to <= from {
		return
	}
	t.accounted = to
	switch {
	case from < ws.boundary:
		ws.accountAcross(t, class, from, to)
	case ws.open != nil:
		ws.share(ws.open, t).time[class] += int64(to - from)
	}
}

// accountAcross is account for a time with a boundary in it. What lies in an interval does not
// count in the whole's share yet.
func (ws *windows) accountAcross(t *thread, class timeClass, from, to events.Time) {
	ws.acrossWindows(from, to, func(w *window, ns int64) { ws.share(w, t).time[class] += ns })
}

// acrossWindows calls add with how much of [from, to) lies in each window. What lies in an interval
// is left out of the whole.
func (ws *windows) acrossWindows(from, to events.Time, add func(w *window, ns int64)) {
	inIntervals := int64(0)
	for i := len(ws.list) - 1; i >= 0; i-- {
		w := ws.list[i]
		ns := overlap(from, to, w.start, w.endOrMax())
		if w.interval {
			inIntervals += ns
		} else {
			ns -= inIntervals
		}
		if ns > 0 {
			add(w, ns)
		}
	}
}

// accountSum attributes [from, to) of a thread's time, the parts of which are known but not their
// order.
func (ws *windows) accountSum(t *thread, from, to events.Time, parts [classCount]int64) {
	switch w := ws.find(to, to); {
	case w == nil:
		ws.account(t, classUnknown, t.accounted, to)
	case from != t.accounted || from < w.start:
		ws.breakLink()
		ws.account(t, classUnknown, t.accounted, to)
	default:
		t.accounted = to
		s := ws.share(w, t)
		for class, ns := range parts {
			s.time[class] += ns
		}
	}
}

// addCPU notes that a thread ran on a CPU in [from, to).
func (ws *windows) addCPU(t *thread, cpu uint16, from, to events.Time) {
	if from >= ws.boundary {
		if ws.open != nil && to > from {
			ws.share(ws.open, t).cpus.add(cpu)
		}
		return
	}
	for _, w := range ws.list {
		if overlap(from, to, w.start, w.endOrMax()) > 0 {
			ws.share(w, t).cpus.add(cpu)
		}
	}
}

// countSwitchOut counts a switch-out, after a run on a CPU from in to now.
func (ws *windows) countSwitchOut(t *thread, cpu uint16, in, now events.Time) {
	w := ws.find(now, now)
	if w == nil {
		return
	}
	s := ws.share(w, t)
	s.switches++
	if in >= ws.boundary && in < now {
		s.cpus.add(cpu)
	} else {
		ws.addCPU(t, cpu, in, now)
	}
}

// ban is a time in which threads were not allowed to run: those of the whole process while it was
// stopped or frozen, or those of one CPU while a cgroup's quota of CPU time was used up. User space
// reads such a state at some moments. Where the ban began and ended follows from the turns around
// them.
type ban struct {
	from, seen events.Time // seen: the last moment at which the state was read
	until      events.Time // 0 = not known yet
}

func (b *ban) untilOr(later events.Time) events.Time {
	if b.until == 0 {
		return later
	}
	return b.until
}

// keptBans is how many bans are kept. An absence of a thread can hold several: it waits on while
// others use up what the quota allows in one period after another.
const keptBans = 8

// bans are the last ones, the newest at newest.
type bans struct {
	last   [keptBans]ban
	newest uint8
}

func (b *bans) current() *ban { return &b.last[b.newest] }

// see notes that a ban held at a moment. It had not begun before notBefore, and no thread ran since
// lastRun. It reports whether that is another ban than the newest.
func (b *bans) see(moment, notBefore, lastRun events.Time) (another bool) {
	from := max(notBefore, lastRun)
	if c := b.current(); c.seen != 0 && from <= c.seen {
		c.seen = max(c.seen, moment)
		return false
	}
	b.newest = (b.newest + 1) % keptBans
	*b.current() = ban{from: from, seen: moment}
	return true
}

// within returns for how much of [from, to), a time off the CPU, the bans seen in it held.
func (b *bans) within(from, to events.Time) (ns int64) {
	for i := range uint8(keptBans) { // the oldest first
		k := &b.last[(b.newest+1+i)%keptBans]
		if k.seen == 0 || k.seen < from || k.seen > to {
			continue
		}
		until := min(to, k.untilOr(to))
		ns += overlap(from, to, k.from, until)
		from = max(from, until)
	}
	return ns
}

// bookBans holds the bans that times are split by.
type bookBans struct {
	process bans
	cpus    []bans
	newest  events.Time // the last moment at which any ban was seen; 0 = never
	counted events.Time // the bans of the process are in the ledgers up to here
	lastOut events.Time // of any thread
}

// paused handles a Paused: the process is stopped or frozen at this moment, or is no longer.
func (c *Correlator) paused(e *events.Event) {
	b := &c.windows.bans
	current := b.process.current()
	if c.cfg.Aggregate { // when threads were off their CPUs is not known
		return
	}
	if e.Flags == 0 {
		if current.seen != 0 && current.until == 0 {
			current.until = e.Time
		}
		return
	}
	before := *current
	if b.process.see(e.Time, events.Time(e.Args[events.ArgNotBefore]), b.lastOut) {
		c.windows.countBan(&before, b.process.current().from)
	}
	b.newest = e.Time
}

// throttled handles a Throttled: at this moment no thread may run on a CPU, up to the end of a
// quota's period.
func (c *Correlator) throttled(e *events.Event) {
	b := &c.windows.bans
	if c.cfg.Aggregate {
		return
	}
	if n := int(e.CPU) + 1 - len(b.cpus); n > 0 {
		b.cpus = append(b.cpus, make([]bans, n)...)
	}
	ran := events.Time(0)
	if int(e.CPU) < len(c.cpus) {
		ran = c.cpus[e.CPU]
	}
	of := &b.cpus[e.CPU]
	of.see(e.Time, events.Time(e.Args[events.ArgNotBefore]), ran)
	current := of.current()
	current.until = max(current.until, events.Time(e.Args[events.ArgBanUntil]), e.Time)
	b.newest = e.Time
}

// endPause notes that a thread was woken: a pause of the process seen while it was off its CPU has
// ended by then.
func (ws *windows) endPause(out, wake events.Time) {
	p := ws.bans.process.current()
	if p.seen != 0 && out <= p.seen && p.seen <= wake && (p.until == 0 || wake < p.until) {
		p.until = wake
	}
}

// countBan adds a ban of the process, as far as it is over before a moment, to the windows.
func (ws *windows) countBan(b *ban, before events.Time) {
	from, to := max(b.from, ws.bans.counted), min(b.untilOr(before), before)
	if b.seen == 0 || to <= from {
		return
	}
	ws.bans.counted = to
	ws.acrossWindows(from, to, func(w *window, ns int64) { w.paused += ns })
}

// accountOff attributes the time [from, to) that a thread was off its CPU, of which it was blocked,
// or waited for the CPU. What lies in a ban seen meanwhile is the ban's.
func (ws *windows) accountOff(t *thread, class timeClass, cpu uint16, from, to events.Time) {
	b, banned := &ws.bans.process, classPaused
	switch {
	case ws.bans.newest < from || ws.bans.newest == 0:
		ws.account(t, class, from, to)
		return
	case class == classRunq && int(cpu) < len(ws.bans.cpus):
		b, banned = &ws.bans.cpus[cpu], classThrottled
	case class != classBlocked:
		ws.account(t, class, from, to)
		return
	}
	for i := range uint8(keptBans) { // the oldest first
		k := &b.last[(b.newest+1+i)%keptBans]
		if k.seen == 0 || k.seen < from || k.seen > to {
			continue
		}
		ws.account(t, class, from, k.from)
		ws.account(t, banned, from, min(to, k.untilOr(to)))
	}
	ws.account(t, class, from, to)
}

// cpuSet is a set of CPUs. Most machines need only low.
type cpuSet struct {
	low  uint64   // 0…63
	high []uint64 // 64…
}

func (s *cpuSet) add(cpu uint16) {
	if cpu < 64 {
		s.low |= 1 << cpu
		return
	}
	i := int(cpu)/64 - 1
	s.grow(i + 1)
	s.high[i] |= 1 << (cpu % 64)
}

// grow makes room for so many words of high.
func (s *cpuSet) grow(words int) {
	if n := words - len(s.high); n > 0 {
		s.high = append(s.high, make([]uint64, n)...)
	}
}

func (s *cpuSet) addAll(o *cpuSet) {
	s.low |= o.low
	s.grow(len(o.high))
	for i, word := range o.high {
		s.high[i] |= word
	}
}

// list is the CPUs, ascending.
func (s *cpuSet) list() (cpus []int) {
	for word := range 1 + len(s.high) {
		rest := s.low
		if word > 0 {
			rest = s.high[word-1]
		}
		for ; rest != 0; rest &= rest - 1 {
			cpus = append(cpus, 64*word+bits.TrailingZeros64(rest))
		}
	}
	return cpus
}
