package correlate

import (
	"math/rand/v2"

	"github.com/pinwatch/pinwatch/events"
)

// recording is a generated stretch of a process's life that is replayed again and again, each time
// one period later.
type recording struct {
	events []events.Event
	period events.Time
	next   int

	now  events.Time
	rng  *rand.Rand
	left map[uint32]events.Time // when each thread left its CPU
}

const (
	recorded  = 1 << 15 // events, 2.5 MiB: more than the nearest caches hold, as with events from the kernel
	goroutine = 7       // thread n is locked to goroutine n + this
)

func newRecording() *recording {
	return &recording{now: 1e9, rng: rand.New(rand.NewPCG(1, 2)), left: map[uint32]events.Time{}}
}

func (r *recording) full() bool { return len(r.events) >= recorded }

// about returns a random time of about ns.
func (r *recording) about(ns int64) events.Time { return events.Time(ns/2 + r.rng.Int64N(ns)) }

// add appends an event that happens now.
func (r *recording) add(kind events.Kind, tid uint32, flags uint8, args ...uint64) {
	e := events.Event{Kind: kind, Time: r.now, TID: tid, Flags: flags}
	copy(e.Args[:], args)
	r.events = append(r.events, e)
}

// turn appends a turn: woken at wake, on its CPU from in until now.
func (r *recording) turn(tid, waker uint32, cpu uint16, wake, in events.Time, flags, lock uint8) {
	lastCPU := uint64(cpu)
	if r.rng.IntN(20) == 0 {
		lastCPU ^= 1
	}
	out, ran := r.left[tid]
	if !ran {
		out = wake // until the recording is closed
	}
	r.left[tid] = r.now
	r.add(events.Switch, tid, flags|events.SwitchRun|events.SwitchOff|events.SwitchWake,
		uint64(r.now-in), uint64(in-wake), uint64(wake-out), uint64(waker), lastCPU, uint64(r.rng.IntN(3)), uint64(lock))
	r.events[len(r.events)-1].CPU = cpu
}

// close joins the end to the beginning: a thread's first turn follows its last one.
func (r *recording) close() *recording {
	r.period = r.now + 10_000 - r.events[0].Time
	seen := map[uint32]bool{}
	for i := range r.events {
		e := &r.events[i]
		if e.Kind != events.Switch || seen[e.TID] {
			continue
		}
		seen[e.TID] = true
		if !e.Has(events.SwitchFirst) {
			wake := e.Time - events.Time(e.Args[events.ArgRunNS]+e.Args[events.ArgRunqNS])
			e.Args[events.ArgBlockedNS] = uint64(wake - (r.left[e.TID] - r.period))
		}
	}
	return r
}

// replay adds the next event to a correlator.
func (r *recording) replay(c *Correlator) {
	e := &r.events[r.next]
	c.Add(e)
	r.delay(e)
	if r.next++; r.next == len(r.events) {
		r.next = 0
	}
}

// delay moves an event to one period later.
func (r *recording) delay(e *events.Event) {
	e.Time += r.period
	arg := -1
	switch e.Kind {
	case events.NewTask:
		arg = events.ArgCloneEnter
	case events.CloneExit, events.TgkillExit:
		arg = events.ArgEnter
	case events.SignalGenerate:
		arg = events.ArgTgkillEnter
	}
	if arg >= 0 {
		e.Args[arg] += uint64(r.period)
	}
}

// correlator returns one that has seen the threads and their locks, with three windows: the whole,
// an interval that has ended and the one after it.
func (r *recording) correlator(locked uint32) *Correlator {
	c := New(Config{TGID: 1, Locks: true, AsyncPreempt: 4096, Stack: func(uint64) []Frame {
		return []Frame{{Func: "runtime.preemptone"}, {Func: "runtime.retake"}, {Func: "runtime.sysmon"}}
	}})
	start := r.events[0].Time - 100_000
	for tid := range r.left {
		c.Add(&events.Event{Kind: events.Thread, Time: start, TID: tid,
			Args: [8]uint64{events.ArgOff: 1, events.ArgNSTID: uint64(tid)}})
		lock := events.Event{Kind: events.Lock, Flags: events.LockNone, Time: start, TID: tid}
		if tid <= locked {
			lock.Flags = events.LockUser
			lock.Args = [8]uint64{events.ArgGoID: uint64(tid + goroutine), events.ArgEntry: 4000 + uint64(tid%3),
				events.ArgExt: 1}
		}
		c.Add(&lock)
	}
	c.Add(&events.Event{Kind: events.WindowStart, Flags: events.WindowIntervals, Time: start + 1})
	c.Add(&events.Event{Kind: events.WindowCut, Time: start + 2})
	return c
}

// pingPong is n goroutines locked to their threads that pass a token round. Another thread comes in
// between: it gives its P to the locked one and parks (runtime.startlockedm).
func pingPong(n uint32) *recording {
	r := newRecording()
	woken := r.now
	for i := uint32(0); !r.full(); i++ {
		to, helper := i%n+1, n+1+i%2
		from := (i+n-1)%n + 1
		woken = r.hop(helper, from, uint16(i%2), woken, 0, events.LockNone)
		woken = r.hop(to, helper, uint16(i%2), woken, events.SwitchParked, events.LockUser)
	}
	return r.close()
}

// hop appends a turn that ends soon after it has woken another thread.
func (r *recording) hop(tid, waker uint32, cpu uint16, wake events.Time, flags, lock uint8) (wakes events.Time) {
	in := max(wake, r.now) + r.about(700)
	wakes = in + r.about(900)
	r.now = wakes + r.about(400)
	if r.rng.IntN(50) == 0 {
		flags = events.SwitchPreempted
	}
	r.turn(tid, waker, cpu, wake, in, flags, lock)
	return wakes
}

// crowd is n threads that run in no order.
func crowd(n uint32) *recording {
	r := newRecording()
	for cpu := uint16(0); !r.full(); cpu ^= 1 {
		in := r.now + r.about(300)
		wake := in - r.about(200)
		r.now = in + r.about(1000)
		tid := 1 + r.rng.Uint32N(n)
		if r.left[tid] >= wake {
			continue // it left its CPU only just now
		}
		r.turn(tid, 1+r.rng.Uint32N(n), cpu, wake, in, 0, events.LockNone)
	}
	return r.close()
}

// churn is threads that lock themselves, run a few times and end locked.
func churn() *recording {
	const parent = 1
	r := newRecording()
	step := func() { r.now += r.about(1000) }
	tid := uint32(2)
	for ; !r.full(); tid++ {
		in := r.now
		step()
		entered := r.now
		r.add(events.CloneEnter, parent, 0, 0, 1, uint64(events.LockNone))
		step()
		created := r.now
		r.add(events.NewTask, tid, 0, parent, uint64(tid), 0, uint64(entered))
		step()
		r.add(events.CloneExit, parent, 0, uint64(tid), uint64(entered))
		step()
		r.turn(parent, 0, 0, in, in, 0, events.LockNone)
		r.life(tid, created)
		r.freed(tid - grace)
	}
	for range grace {
		tid++
		r.freed(tid - 1 - grace)
	}
	return r.close()
}

// grace is how many threads end before one is freed: a grace period of the kernel.
const grace = 8

func (r *recording) freed(tid uint32) {
	if int32(tid) >= 2 {
		r.now += r.about(1000)
		r.add(events.ProcessFree, tid, 0)
	}
}

// life appends the events of a thread made by the runtime.
func (r *recording) life(tid uint32, created events.Time) {
	in := r.now
	r.left[tid] = created
	step := func(kind events.Kind, flags uint8, args ...uint64) {
		r.now += r.about(1000)
		r.add(kind, tid, flags, args...)
	}
	step(events.Sigaltstack, 0)
	step(events.Sigmask, events.LockNone)
	step(events.ThreadM, 0, 1, uint64(tid))
	step(events.Lock, events.LockNone)
	first := events.SwitchFirst
	for range 3 {
		r.now += r.about(1000)
		r.turn(tid, 1, 1, created, in, first, events.LockNone)
		first = 0
		created = r.now + r.about(500)
		in = created + r.about(500)
		r.now = in
	}
	step(events.Lock, events.LockUser, uint64(tid+goroutine), 4000, 1)
	step(events.Lock, events.LockOrphan, 0, 0, 1)
	step(events.Sigmask, events.LockOrphan, ^uint64(0))
	step(events.Sigaltstack, 0, ssDisable)
	step(events.ExitEnter, 0, 2)
	step(events.ProcessExit, 0)
	r.now += r.about(1000)
	r.turn(tid, 1, 1, in, in, events.SwitchDead, events.LockOrphan)
	delete(r.left, tid)
}

// storm is a garbage collection without end: worker threads that are sent SIGURG and leave their
// CPUs now and then.
func storm() *recording {
	const threads = 8
	r := newRecording()
	in := r.now
	step := func(kind events.Kind, tid uint32, flags uint8, args ...uint64) {
		r.now += r.about(800)
		r.add(kind, tid, flags, args...)
	}
	for i := uint32(0); !r.full(); i++ {
		from, to := i%threads+1, (i+1)%threads+1
		step(events.TgkillEnter, from, 0, 1)
		enter := uint64(r.now)
		step(events.SignalGenerate, to, events.TargetOnCPU, uint64(from), 1, 0, 0, enter, uint64(events.LockNone))
		step(events.TgkillExit, from, 0, 0, enter)
		step(events.SignalDeliver, to, events.LockNone)
		step(events.Sigreturn, to, 0, 4096)
		r.now += r.about(800)
		r.turn(to, from, 0, in, in, events.SwitchPreempted, events.LockNone)
		in = r.now
	}
	return r.close()
}
