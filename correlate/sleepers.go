package correlate

import "github.com/pinwatch/pinwatch/events"

// maxListed is how many threads a correlator follows one by one, whatever they do: the first that
// the first snapshot lists. Of the others, those that sleep and hold no lock are sleepers, until
// something happens to them. It is the Go runtime's default limit of threads (sched.maxmcount).
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
	name          [2]uint64   // as the Thread event has it
	nsTID         int32
	cpu           uint16
	lockKind      uint8
}

// event returns the Thread event that listed it first.
func (s *sleeper) event(tid uint32) events.Event {
	return events.Event{Kind: events.Thread, Time: s.first, TID: tid, CPU: s.cpu, Args: [8]uint64{
		events.ArgOff: uint64(s.off), events.ArgNSTID: uint64(s.nsTID),
		events.ArgComm: s.name[0], events.ArgComm + 1: s.name[1]}}
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
			name: [2]uint64(e.Args[events.ArgComm:]), nsTID: int32(e.Args[events.ArgNSTID])}
	}
	one.listed = e.Time
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

// wake makes a sleeper a thread that is followed: something happens to it. It is nil where the
// thread is no sleeper.
func (c *Correlator) wake(tid uint32) *thread {
	one, ok := c.sleepers.byTID[tid]
	if !ok {
		return nil
	}
	delete(c.sleepers.byTID, tid)
	t := c.threads.create(tid, int32(tid))
	c.threads.put(t)
	first := one.event(tid)
	c.thread(&first)
	if one.lockRead != 0 {
		c.lockEvent(&events.Event{Kind: events.Lock, Time: one.lockRead, TID: tid, Flags: one.lockKind,
			Args: [8]uint64{events.ArgRead: 1}})
	}
	t.atEnd = lockAtEnd{t.lock, t.lockKind()}
	return t
}

// addSleepers counts those that lived at a window's end: a snapshot has listed them since.
func (c *Correlator) addSleepers(r *Result, w *window) {
	for _, s := range c.sleepers.byTID {
		if s.listed < w.end {
			continue
		}
		r.Counts.Threads++
		r.Sleepers.N++
		if s.lockRead != 0 && s.lockKind == events.LockNone {
			r.Sleepers.Unlocked++
		}
	}
}
