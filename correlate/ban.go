package correlate

import "github.com/pinwatch/pinwatch/events"

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
