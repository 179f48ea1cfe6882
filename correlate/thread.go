package correlate

import (
	"math/bits"
	"math/rand/v2"

	"github.com/pinwatch/pinwatch/correlate/internal/stops"
	"github.com/pinwatch/pinwatch/events"
)

// thread is one OS thread of the target, from its birth or the first event about it until the
// kernel frees it.
type thread struct {
	// The fields of every turn lie side by side, and the rest elsewhere: no cache holds 10,000
	// threads.

	tid   uint32
	nsTID int32

	// Time line: all time up to accounted is attributed.
	accounted   events.Time
	lastOut     events.Time // the last switch-out known
	offUntil    events.Time // absences up to here are added to the spans
	lastIn      events.Time // switch-ins up to here have been checked for migration
	deadAt      events.Time // the last switch-out of all
	begun       uint16      // bits of the spans that have begun
	preempted   bool        // it was still runnable at lastOut
	parked      bool        // its goroutine did not run at lastOut
	lockUnknown bool        // the last read of the lock proved nothing
	held        bool        // counted in lockTracker.held
	nextRun     uint8       // the oldest of runs
	state       timeClass   // of a thread without history: where it was at the first snapshot

	deferred []sample // those with a switch-out inside, until the present turn is known
	pins     pins     // seen by the probe on LockOSThread
	lock     lock
	sent     lock      // as the last record of the thread itself has it
	runs     [4]cpuRun // the last ones
	relay    relay     // the present turn, if it is one
	awaited  lockedTo  // the goroutine that did not run at lastOut
	shares   [maxWindows]share

	*threadDetails
}

// childrenKilled are the children that get a signal when the thread that made them ends.
type childrenKilled struct {
	n      uint64
	signal int
}

// threadDetails are the fields of a thread that its turns need seldom.
type threadDetails struct {
	handoffs [maxWindows]threadHandoffs // by window, as shares
	sums     sums

	// Birth. createdAt is 0 for threads that lived before the observation.
	createdAt, cloneEnter, firstIn, ready events.Time
	createdBy                             int32
	firstCPU                              int   // without history: the CPU at the first snapshot; -1 = not known
	birth                                 group // of the samples of its creation
	altstack                              bool  // sigaltstack has been called since birth
	createdFor                            *reason
	// Made by the runtime: its parent had SIGURG blocked (newosproc, _cgo_sys_thread_start). Whether
	// it had is not known: perhaps by the runtime.
	byGo, maybeByGo bool
	// Made by the kernel for its own work, as by io_uring: no M.
	ioWorker bool
	name     string

	// As a parent: the clone in progress.
	child      child
	clonedFrom uint64 // its stack

	// Death.
	maskedAt, mexit, exitEnter events.Time
	maskUnknown                bool        // its signal mask could not be read
	ending                     events.Time // sched_process_exit: soon after, the kernel lists it no more
	death                      group       // of the samples of its end
	childrenKilled             childrenKilled

	// The M, and its lock.
	m            mIdentity
	atEnd        lockAtEnd
	holderBefore uint64 // the goroutine that held it before the present one

	// resume is set while the locked goroutine, preempted by injection, waits in the scheduler and
	// the thread has not run since. lastResume is the wait before resume. It has ended, for the
	// goroutine was preempted again. Its end is known only when the record of that turn arrives.
	resume, lastResume resume

	// SIGURG on its way to this thread, in its handler, and being sent by it.
	pending, handling, sending *signal

	spans [spanCount]span
	stops stops.Thread // in stops of the world
}

// child is the thread that a clone in progress has made.
type child struct {
	createdAt events.Time // 0 = none yet
	birth     group
}

// mIdentity is the M of the runtime that a thread is.
type mIdentity struct {
	id    int64
	start uint64 // address of the function it began with
	known bool
	extra bool // lent to a thread of C code
}

// threads are the target's threads: those with a tid, and the memory of forgotten ones.
type threads struct {
	tidTable
	unused []*thread
}

// maxUnused bounds the threads that are kept for reuse: as many as one pass of forgetEnded forgets.
const maxUnused = forgetFrom * maxEndedThreads

// create returns a new thread, in the memory of a forgotten one where there is one: threads may
// come and go faster than everything else happens. It has no tid yet in the table.
func (s *threads) create(tid uint32, nsTID int32) *thread {
	last := len(s.unused) - 1
	if last < 0 {
		return &thread{tid: tid, nsTID: nsTID, threadDetails: &threadDetails{firstCPU: -1}}
	}
	t := s.unused[last]
	s.unused = s.unused[:last]
	*t.threadDetails = threadDetails{firstCPU: -1}
	*t = thread{tid: tid, nsTID: nsTID, deferred: t.deferred[:0], threadDetails: t.threadDetails}
	return t
}

// reuse keeps the memory of a thread that nothing refers to any more.
func (s *threads) reuse(t *thread) {
	if len(s.unused) < maxUnused {
		s.unused = append(s.unused, t)
	}
}

func (t *thread) hasShare(w *window) bool { return t.shares[w.slot].window == w.id }

// lockKind returns what the last read of the thread's lock found.
func (t *thread) lockKind() uint8 {
	if t.lockUnknown {
		return events.LockUnknown
	}
	return t.lock.kind
}

// cpuRun is one stretch of a thread's time on a CPU.
type cpuRun struct {
	in, out   events.Time
	preempted bool // it was still runnable when it ended
}

// addRun remembers a run: the records of other threads that refer to it may come later.
func (t *thread) addRun(in, out events.Time, preempted bool) {
	t.runs[t.nextRun] = cpuRun{in, out, preempted}
	t.nextRun = (t.nextRun + 1) % uint8(len(t.runs))
}

// voluntaryEnd returns the end of the run that a moment lies in. It is false where no such run is
// known, or the run ended by preemption.
func (t *thread) voluntaryEnd(moment events.Time) (out events.Time, ok bool) {
	for i := range uint8(len(t.runs)) { // the newest first: it is nearly always that
		r := &t.runs[(t.nextRun-1-i)%uint8(len(t.runs))]
		if r.in <= moment && moment <= r.out && r.in != 0 {
			return r.out, !r.preempted
		}
	}
	return 0, false
}

// tidTable finds a thread by its tid. Every event asks for one, some for several: a hash table
// with linear probing, never more than half full, takes half the time of a map. The hash is
// random, so that no target can choose tids that collide.
type tidTable struct {
	slots []tidSlot // a power of two
	n     int
	shift uint8 // from a hash to its slot
	seed  uint32
}

type tidSlot struct {
	tid    uint32
	thread *thread // nil = free
}

const minSlots = 256

func newTIDTable() tidTable {
	s := tidTable{seed: rand.Uint32()}
	s.resize(minSlots)
	return s
}

// home returns the slot where the search for a tid begins. Neighbouring tids must not lie side by
// side, else their searches run into each other: two rounds of murmur3's last step.
func (s *tidTable) home(tid uint32) int {
	h := tid ^ s.seed
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return int(h >> s.shift)
}

func (s *tidTable) next(i int) int { return (i + 1) & (len(s.slots) - 1) }

// get returns the thread of a tid; nil = none.
func (s *tidTable) get(tid uint32) *thread {
	for i := s.home(tid); ; i = s.next(i) {
		if slot := &s.slots[i]; slot.tid == tid || slot.thread == nil {
			return slot.thread
		}
	}
}

// put makes t the thread of its tid.
func (s *tidTable) put(t *thread) {
	if 2*s.n >= len(s.slots) {
		s.resize(2 * len(s.slots))
	}
	i := s.home(t.tid)
	for s.slots[i].thread != nil && s.slots[i].tid != t.tid {
		i = s.next(i)
	}
	if s.slots[i].thread == nil {
		s.n++
	}
	s.slots[i] = tidSlot{t.tid, t}
}

// remove forgets a tid. The entries behind it move up, since a search ends at the first free slot.
func (s *tidTable) remove(tid uint32) {
	i := s.home(tid)
	for ; s.slots[i].tid != tid; i = s.next(i) {
		if s.slots[i].thread == nil {
			return
		}
	}
	if s.slots[i].thread == nil {
		return
	}
	s.n--
	free, mask := i, len(s.slots)-1
	for i = s.next(i); s.slots[i].thread != nil; i = s.next(i) {
		if home := s.home(s.slots[i].tid); (i-home)&mask >= (i-free)&mask { // its search passes the free slot
			s.slots[free], free = s.slots[i], i
		}
	}
	s.slots[free] = tidSlot{}
}

// all visits every thread, in no order.
func (s *tidTable) all(yield func(*thread) bool) {
	for _, slot := range s.slots {
		if slot.thread != nil && !yield(slot.thread) {
			return
		}
	}
}

func (s *tidTable) resize(n int) {
	old := s.slots
	s.slots, s.n, s.shift = make([]tidSlot, n), 0, uint8(33-bits.Len(uint(n)))
	for _, slot := range old {
		if slot.thread != nil {
			s.put(slot.thread)
		}
	}
}
