// Package stops follows the stops of the world that the Go runtime makes, from the SIGURGs and the
// turns of the threads, and finds out which thread was the last to stop, and why. It is pure.
//
// stopTheWorldWithSema (runtime/proc.go) sends SIGURG to each thread that runs a goroutine, and
// waits until each of them has stopped: it sleeps for 100 µs at a time, and sends again to those that
// have handled the signal. The last thread that stops wakes the waiting one. The runtime counts the
// time from the first signal until the waiting thread runs again in /sched/pauses/stopping.
package stops

import "github.com/pinwatch/pinwatch/events"

const (
	// napLeast and napMost bound a sleep that ends by itself: 100 µs and the timer slack of 50 µs,
	// less the way from the timer's start to the switch-out, and more where the timer is late, as in a
	// virtual machine.
	napLeast = 95_000
	napMost  = 2_000_000
	// napShort is the longest such sleep that no timer of a goroutine causes: these are 1 ms or longer
	// (runtime/netpoll_epoll.go).
	napShort = 500_000
	// waitRun is the longest time on a CPU between two sleeps of a thread that waits for others to
	// stop: it sends some signals. The work of a stopped world takes as long, and the run after it
	// longer.
	waitRun = 100_000
)

// Why is what the last thread that stopped did meanwhile.
type Why uint8

// The times of that thread, and of the waiting one.
const (
	Unknown   Why = iota
	Running       // it ran, without a place where it can stop
	Waiting       // it was ready to run and had no CPU
	Throttled     // its quota of CPU time was used up
	Paused        // the process was stopped or frozen
	Blocked       // it slept in the kernel, but not in a call that the runtime knows of: a page fault
	Stopper       // all others had stopped: the thread that stops the world had no CPU
	whyCount
)

// String returns the word in reports.
func (w Why) String() string {
	return [...]string{"unknown", "running", "waiting", "throttled", "paused", "blocked", "stopper"}[w]
}

// Stop is a stop that has ended.
type Stop struct {
	Reason     string      // what the world was stopped for
	Begin, End events.Time // until the thread that stops the world goes on
	Last       ID          // stopped last; TID 0 = not known
	Why        Why
	PC         uint64 // where Last ran without a place to stop; 0 = not known
}

// Turn is one turn of a thread: off its CPU at Out, woken at Wake, on a CPU from In until Now.
type Turn struct {
	Out, Wake, In, Now events.Time
	Waker              uint32 // the thread of the target that woke it; 0 = none
	Preempted          bool   // it is still runnable at Now
	Paused, Throttled  int64  // ns of [Out, In)
}

// ID is a thread's.
type ID struct {
	TID   uint32
	NSTID int32 // in pinwatch's PID namespace
}

// Thread is what is known of a thread.
type Thread struct {
	ID
	napping  events.Time // it has slept as a waiting thread does, since then; 0 = it does not
	part     part
	*stopper // nil: it has not stopped the world yet
	// Where a signal of the stop pcOf interrupted it last, and it could not stop.
	pc   uint64
	pcOf uint32
}

// stopper is what is known of a thread that stops the world.
type stopper struct {
	stop  stop
	sends [4]burst // in the present turn
	sent  int
}

// burst are signals that a thread sends one after the other.
type burst struct {
	id          uint32
	reason      string
	line        int
	first, last events.Time
}

// stop is one that a thread has begun.
type stop struct {
	id          uint32
	reason      string
	begin, sent events.Time // sent: the last signal; begin 0 = there is no stop
	// Perhaps the end: the thread was woken by another, and has not slept again.
	end, woken events.Time
	waker      uint32
}

// part is the time of a thread in the stop id, up to upto or until it left its CPU to stop.
type part struct {
	id         uint32
	upto, left events.Time
	time       [whyCount]int64
	// It had nothing to run in the stop, until the thread giver handed a P to it.
	giver uint32
	given events.Time
}

// Tracker follows the stops of one process.
type Tracker struct {
	Find  func(tid uint32) *Thread
	Begun func(reason string, begin events.Time)
	Ended func(*Stop)

	lastID  uint32
	active  uint32 // the stop whose parts are kept; 0 = none
	begin   events.Time
	stopper uint32
	over    Stop   // ended as it seems, see end; Begin 0 = none
	overBy  uint32 // the thread of over
	// Lines of stopTheWorldWithSema that send signals: at the begin, and after each sleep. 0 = not seen.
	firstLine, againLine int
}

// Send notes that a thread sends a signal from a line of stopTheWorldWithSema.
func (k *Tracker) Send(t *Thread, reason string, line int, now events.Time) {
	k.learn(line)
	if t.stopper == nil {
		t.stopper = &stopper{}
	}
	if n := t.sent; n > 0 {
		b := &t.sends[n-1]
		if now-b.last <= waitRun && line >= b.line || n == len(t.sends) {
			b.last, b.line = now, line
			return
		}
	}
	id := t.stop.id
	if t.sent > 0 || t.stop.begin == 0 || k.is(line, k.firstLine) {
		k.lastID++
		id = k.lastID
		k.active, k.begin, k.stopper = id, now, t.TID
		if !k.is(line, k.firstLine) && t.napping != 0 {
			k.begin = t.napping
		}
	}
	t.sends[t.sent] = burst{id, reason, line, now, now}
	t.sent++
}

// learn notes a line. The first line of the two is above the other one.
func (k *Tracker) learn(line int) {
	switch {
	case k.firstLine == 0:
		k.firstLine = line
	case line > k.firstLine:
		k.againLine = line
	case line < k.firstLine:
		k.firstLine, k.againLine = line, k.firstLine
	}
}

// is reports whether a line is known to be the given one of the two.
func (k *Tracker) is(line, which int) bool { return k.againLine != 0 && line == which }

// Sent notes that the signal sent last is on its way.
func (k *Tracker) Sent(t *Thread, now events.Time) {
	if t.stopper != nil && t.sent > 0 {
		t.sends[t.sent-1].last = now
	}
}

// Interrupted notes where a signal of a stop has interrupted a thread that could not stop there.
func (k *Tracker) Interrupted(t *Thread, pc uint64) { t.pc, t.pcOf = pc, k.active }

// Lost notes that what a thread did since its last turn is not known.
func (k *Tracker) Lost(t *Thread) {
	t.napping, t.part = 0, part{}
	if t.stopper == nil {
		return
	}
	if k.active == t.stop.id {
		k.active = 0
	}
	if k.overBy == t.TID {
		k.Settle()
	}
	t.stop, t.sent = stop{}, 0
}

// Turn takes a turn of a thread, when it ends.
func (k *Tracker) Turn(t *Thread, r *Turn) {
	if k.active != 0 && t.TID != k.stopper {
		k.takePart(t, r)
	}
	switch {
	case t.stopper == nil:
	case t.sent > 0:
		k.sendingTurn(t, r)
		t.sent = 0
	case t.stop.begin != 0:
		k.waitingTurn(t, r)
	}
	if k.overBy == t.TID && (r.slept() > napMost || r.Now-r.In > napMost) {
		k.Settle()
	}
	if !r.shortNap() || r.Now-r.In > waitRun {
		t.napping = 0
	} else if t.napping == 0 {
		t.napping = r.Out
	}
}

// Active reports whether turns of other threads than those that send matter.
func (k *Tracker) Active() bool { return k.active != 0 }

// slept is how long the thread slept before the turn, without pauses, ns.
func (r *Turn) slept() int64 { return int64(r.Wake-r.Out) - r.Paused }

// nap reports whether the turn began with a sleep that ended by itself.
func (r *Turn) nap() bool { return r.slept() >= napLeast && r.slept() <= napMost }

// shortNap is the same of a thread that nothing but a stop, or a wait for each P like it, lets sleep.
func (r *Turn) shortNap() bool { return r.nap() && r.Waker == 0 && r.Wake-r.Out <= napShort }

// takePart adds a turn to a thread's part of the stop that is in progress.
func (k *Tracker) takePart(t *Thread, r *Turn) {
	p := &t.part
	if p.id != k.active {
		*p = part{id: k.active, upto: k.begin}
		if r.Waker != 0 && r.Wake > r.Out && r.Wake > k.begin {
			p.giver, p.given = r.Waker, r.Wake
		}
	}
	if p.left != 0 && r.Waker != 0 {
		return // it had stopped, and the world was started again
	}
	within := func(from, to events.Time) int64 { return int64(max(0, to-max(from, p.upto))) }
	p.time[Blocked] += within(r.Out, r.Wake)
	p.time[Waiting] += within(r.Wake, r.In)
	p.time[Running] += within(r.In, r.Now)
	p.time[Throttled] += min(r.Throttled, within(r.Wake, r.In))
	p.time[Paused] += min(r.Paused, within(r.Out, r.Wake))
	p.upto, p.left = max(p.upto, r.Now), 0
	if !r.Preempted {
		p.left = r.Now
	}
}

// sendingTurn takes a turn in which a thread has sent signals: at the begin of a stop, after a sleep
// in it, or both.
func (k *Tracker) sendingTurn(t *Thread, r *Turn) {
	for i := range t.sends[:t.sent] {
		b, s := &t.sends[i], &t.stop
		afterNap := i == 0 && r.nap() && b.first-r.In <= waitRun
		again := k.is(b.line, k.againLine) ||
			afterNap && !k.is(b.line, k.firstLine) && !k.left(s, r.Waker, r.Wake)
		if s.begin != 0 && again && i == 0 {
			s.sent, s.end = b.last, 0
			continue
		}
		if s.begin != 0 {
			switch {
			case s.end != 0 || r.In <= s.sent:
			case r.slept() > napMost:
				s.end = r.Out // that sleep is not the stop's
			default:
				s.end, s.woken, s.waker = r.In, r.Wake, r.Waker
			}
			k.end(t, max(s.sent, s.end))
		}
		if afterNap && k.is(b.line, k.againLine) && k.overBy == t.TID && k.over.Reason == b.reason {
			*s = stop{id: b.id, reason: b.reason, begin: k.over.Begin, sent: b.last}
			k.over, k.overBy = Stop{}, 0
			continue
		}
		begin := b.first
		if afterNap && r.shortNap() && !k.is(b.line, k.firstLine) { // until then each thread had a signal on its way
			begin = r.Out
			if t.napping != 0 {
				begin = t.napping
			}
		}
		*s = stop{id: b.id, reason: b.reason, begin: begin, sent: b.last}
		k.Begun(s.reason, s.begin)
	}
	if s := &t.stop; r.Now-s.sent > waitRun {
		k.end(t, s.sent) // it did not have to sleep
	}
}

// waitingTurn takes a turn, without signals, of a thread that has begun a stop.
func (k *Tracker) waitingTurn(t *Thread, r *Turn) {
	s := &t.stop
	switch {
	case s.end != 0:
		k.end(t, s.end)
		return
	case r.slept() > napMost:
		k.end(t, max(s.sent, r.Out)) // that sleep is not the stop's
		return
	case r.Waker != 0 && (r.slept() < napLeast || k.left(s, r.Waker, r.Wake)):
		s.end, s.woken, s.waker = r.In, r.Wake, r.Waker
	}
	if r.Now-r.In <= waitRun {
		return
	}
	if s.end == 0 {
		s.end, s.woken, s.waker = r.In, r.Wake, r.Waker
	}
	k.end(t, s.end)
}

// left reports whether a thread left its CPU by itself right after it woke the waiting one. An
// interrupt wakes it too, while any thread may run on that CPU.
func (k *Tracker) left(s *stop, waker uint32, wake events.Time) bool {
	t := k.Find(waker)
	return t != nil && t.part.id == s.id && t.part.left >= wake && t.part.left-wake <= waitRun
}

// mostHops is how many times a P is followed from thread to thread.
const mostHops = 3

// end ends the stop of a thread, as it seems: an interrupt, or the hypervisor, can make a turn long,
// and a thread can leave its CPU where an interrupt has woken the waiting one. If that sends again
// after its next sleeps, the stop goes on.
func (k *Tracker) end(t *Thread, end events.Time) {
	s := &t.stop
	out := Stop{Reason: s.reason, Begin: s.begin, End: end}
	if s.waker != 0 {
		if last := k.Find(s.waker); last != nil {
			k.blame(&out, s, last)
		}
	}
	if s.woken != 0 && 2*(end-s.woken) > end-s.begin {
		out.Last, out.Why, out.PC = t.ID, Stopper, 0
	}
	if k.active == s.id {
		k.active = 0
	}
	*s = stop{}
	k.Settle()
	k.over, k.overBy = out, t.TID
}

// Settle reports the stop that has ended as it seems, if there is one: the next one has ended too, or
// the window has.
func (k *Tracker) Settle() {
	if out := k.over; k.overBy != 0 {
		k.over, k.overBy = Stop{}, 0
		k.Ended(&out)
	}
}

// blame finds what the last thread did most of the time: where that one was handed a P in the stop,
// the thread that had it before.
func (k *Tracker) blame(o *Stop, s *stop, last *Thread) {
	p, until := &last.part, s.woken
	for hops := 0; p.id == s.id && p.giver != 0; hops++ {
		giver := k.Find(p.giver)
		if giver == nil || hops == mostHops {
			return
		}
		until = p.given
		last, p = giver, &giver.part
	}
	o.Last = last.ID
	if p.id != s.id {
		return
	}
	p.time[Waiting] -= p.time[Throttled]
	p.time[Blocked] -= p.time[Paused]
	p.time[Unknown] = int64(max(0, until-p.upto))
	for why := range whyCount {
		if p.time[why] > p.time[o.Why] {
			o.Why = why
		}
	}
	if o.Why == Running && last.pcOf == s.id {
		o.PC = last.pc
	}
}
