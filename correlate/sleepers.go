package correlate

import "github.com/pinwatch/pinwatch/events"

// maxListed is how many threads a correlator follows one by one, whatever they do: the first that
// the first snapshot lists. Any other thread is a sleeper if it sleeps and holds no lock, until
// something happens to it. The number is the Go runtime's default limit (sched.maxmcount).
const maxListed = 10_000

// sleepers are threads that have slept since the first snapshot. A process may have 100,000 of
// them, so each takes a tenth of the memory of a thread. A Result counts them.
type sleepers struct {
	byTID map[uint32]sleeper
	from  int // threads that are followed before one becomes a sleeper
}

type sleeper struct {
	first, listed events.Time // the first and the last snapshot that listed it
	off           events.Time // when it left its CPU; 0 = before the kernel side was attached
	lockRead      events.Time // 0 = its lock was not read
	m             mIdentity
	name          [2]uint64 // as the Thread event has it
	nsTID         int32
	cpu           uint16
	lockKind      uint8
}

// list notes that a snapshot listed a thread. It is false where the thread is no sleeper, or no
// longer; it becomes one only if it may.
func (s *sleepers) list(e *events.Event, may bool) bool {
	one, was := s.byTID[e.TID]
	if !was && !may || was && one.off != events.Time(e.Args[events.ArgOff]) || !asleep(e) {
		return false
	}
	if !was {
		one = sleeper{first: e.Time, off: events.Time(e.Args[events.ArgOff]), cpu: e.CPU,
			nsTID: int32(e.Args[events.ArgNSTID])}
	}
	one.listed, one.name = e.Time, [2]uint64(e.Args[events.ArgComm:])
	s.byTID[e.TID] = one
	return true
}

// asleep reports whether a Thread event is of a thread that sleeps, and was not woken since it left
// its CPU.
func asleep(e *events.Event) bool {
	const no = events.ThreadOnCPU | events.ThreadRunnable | events.ThreadOffRunnable | events.ThreadNew |
		events.ThreadUntracked | events.ThreadIOWorker
	off := e.Args[events.ArgOff]
	return e.Flags&no == 0 && e.Args[events.ArgWake] <= off && e.Args[events.ArgRun] <= off
}

// readLock takes the read of a sleeper's lock. It is false where the thread is no sleeper, or is
// locked.
func (s *sleepers) readLock(e *events.Event) bool {
	one, ok := s.byTID[e.TID]
	if !ok || lockedPart(e.Flags) == partTrue {
		return false
	}
	one.lockRead, one.lockKind = e.Time, e.Flags
	s.byTID[e.TID] = one
	return true
}

// readM takes the read of a sleeper's M. It is false where the thread is no sleeper.
func (s *sleepers) readM(tid uint32, m mIdentity) bool {
	one, ok := s.byTID[tid]
	if ok {
		one.m = m
		s.byTID[tid] = one
	}
	return ok
}

// wake makes a sleeper a thread that is followed, as if it had been from the beginning. It is nil
// where the thread is no sleeper.
func (c *Correlator) wake(tid uint32) *thread {
	one, ok := c.sleepers.byTID[tid]
	if !ok {
		return nil
	}
	delete(c.sleepers.byTID, tid)
	t := c.threads.create(tid, int32(tid))
	c.threads.put(t)
	for _, listed := range [...]events.Time{one.first, one.listed} {
		c.thread(&events.Event{Kind: events.Thread, Time: listed, TID: tid, CPU: one.cpu, Args: [8]uint64{
			events.ArgOff: uint64(one.off), events.ArgNSTID: uint64(one.nsTID),
			events.ArgComm: one.name[0], events.ArgComm + 1: one.name[1]}})
	}
	t.m = one.m
	if one.lockRead != 0 {
		c.lockEvent(&events.Event{Kind: events.Lock, Time: one.lockRead, TID: tid, Flags: one.lockKind,
			Args: [8]uint64{events.ArgRead: 1}})
	}
	t.atEnd = lockAtEnd{t.lock, t.lockKind()}
	return t
}

// wakeUnlisted wakes the sleepers that the snapshot after a window's end did not list: records of
// their ends were lost.
func (c *Correlator) wakeUnlisted(end events.Time) {
	for tid, s := range c.sleepers.byTID {
		if s.listed < end {
			c.wake(tid)
		}
	}
}

// endSleepers ends the sleepers with the target: records of their ends were lost. One at a time
// takes the memory of the one before.
func (c *Correlator) endSleepers(end events.Time) {
	for tid := range c.sleepers.byTID {
		t := c.wake(tid)
		c.endUnseen(t, end)
		c.threads.remove(tid)
		c.windows.forgetFreed(t)
	}
}

// addSleepers counts the sleepers of a window: all that are left, when it is settled.
func (c *Correlator) addSleepers(r *Result) {
	for _, s := range c.sleepers.byTID {
		t := thread{lock: lock{kind: s.lockKind}, threadDetails: &threadDetails{m: s.m}}
		if role := c.program.role(&t, c.cfg.Light); s.lockKind == events.LockNone && (role == "worker" || role == "main") {
			r.Sleepers.Workers++
		}
	}
	r.Sleepers.N = uint64(len(c.sleepers.byTID))
	r.Counts.Threads += r.Sleepers.N
}
