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
