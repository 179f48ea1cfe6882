package observe

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// threads is which target each thread belongs to, and the execs in progress. Records are dispatched in
// the order of their times.
type threads struct {
	byTID     owners                  // of each thread whose records may come
	sweepAt   int                     // how many threads are swept
	executing map[uint32]*replacement // by tid: Exec records whose second Thread record is still to come
	leaving   map[uint32]events.Event // by tid: Thread records before an Exec record
	dropped   map[uint32]*member      // by slot: those that were done before their Exec record was dispatched
}

// owners holds a member for each tid, in pages: every record asks, and tids are below 4 million
// (include/linux/threads.h, PID_MAX_LIMIT). The zero value is empty.
type owners struct {
	pages []*ownerPage // by the upper bits of the tid; nil = none has a member
	n     int          // tids with a member
}

type ownerPage struct {
	of [512]*member // by the lower bits
	n  int
}

const ownerBits = 9 // of 512

// get returns the tid's member; nil = none.
func (o *owners) get(tid uint32) *member {
	if i := tid >> ownerBits; i < uint32(len(o.pages)) && o.pages[i] != nil {
		return o.pages[i].of[tid&(1<<ownerBits-1)]
	}
	return nil
}

// set gives a tid a member; nil = none.
func (o *owners) set(tid uint32, m *member) {
	old, i := o.get(tid), tid>>ownerBits
	if old == nil && m == nil {
		return
	}
	if missing := int(i) + 1 - len(o.pages); missing > 0 {
		o.pages = append(o.pages, make([]*ownerPage, missing)...)
	}
	if o.pages[i] == nil {
		o.pages[i] = &ownerPage{}
	}
	page, change := o.pages[i], 0
	if page.of[tid&(1<<ownerBits-1)] = m; old == nil {
		change = 1
	} else if m == nil {
		change = -1
	}
	o.n += change
	if page.n += change; page.n == 0 {
		o.pages[i] = nil
	}
}

// drop takes away the members for which gone is true.
func (o *owners) drop(gone func(*member) bool) {
	for i, page := range o.pages {
		for low := 0; page != nil && low < len(page.of); low++ {
			if m := page.of[low]; m != nil && gone(m) {
				o.set(uint32(i<<ownerBits|low), nil)
			}
		}
	}
}

// replacement is an exec in progress: the target that begins there.
type replacement struct {
	at events.Time
	to *member // nil = it found no slot, or user space missed it
}

// take takes one record from the buffers. A program is read from the moment on at which its exec is
// known: it may end soon.
func (h *hub) take(e *events.Event) {
	if e.Kind == events.Exec {
		h.executed(e)
	}
	h.order.Push(e)
	h.seen++
}

// dispatch gives a record to its target.
func (h *hub) dispatch(e *events.Event) {
	switch e.Kind {
	case events.Exec:
		h.dispatchExec(e)
		return
	case events.Thread:
		h.dispatchThread(e)
		return
	case events.NewTask:
		h.byTID.set(e.TID, nil) // of the thread that had the tid before
		if m := h.owner(uint32(e.Args[events.ArgParent]), e.Time); m != nil {
			h.byTID.set(e.TID, m)
		}
	}
	m := h.owner(e.TID, e.Time)
	switch {
	case m != nil:
		if e.Kind == events.NewTask {
			m.created++
		}
		m.push(e)
	case e.Kind != events.ProcessFree && h.finishing == 0: // also of threads that no target had, see loader.Group
		h.strays++
	}
	if e.Kind == events.ProcessFree {
		h.byTID.set(e.TID, nil) // another thread may have it next
	}
}

// owner is the target that a thread belonged to at a moment; nil = none that is known.
func (h *hub) owner(tid uint32, at events.Time) *member {
	known := h.byTID.get(tid)
	if known != nil && (!known.done || at <= known.doneAt) {
		return known
	}
	slot, ok := h.kernel.SlotOf(tid)
	m := h.bySlot[slot]
	if !ok || m == nil || at < m.since { // the slot was another target's
		return known
	}
	h.byTID.set(tid, m)
	return m
}

// forget takes a member that is done from those that records may begin with.
func (h *hub) forget(m *member) {
	if h.byPID[m.o.target.PID] == m {
		delete(h.byPID, m.o.target.PID)
	}
	if h.bySlot[m.slot] != m {
		return
	}
	if delete(h.bySlot, m.slot); m.exec != 0 && m.entered == 0 {
		h.dropped[m.slot] = m
	}
}

// sweep forgets the threads of targets that are done, of which no record can come any more. The kernel
// side sends no ProcessFree of those that outlive their target.
func (h *hub) sweep(until events.Time) {
	if h.byTID.n <= h.sweepAt {
		return
	}
	h.byTID.drop(func(m *member) bool { return m.done && m.doneAt < until })
	h.sweepAt = 2*h.byTID.n + sweepLeast
}

// sweepLeast keeps a sweep from coming with each record.
const sweepLeast = 4096

// executed makes a target of a process that has executed a program, and begins to read that.
func (h *hub) executed(e *events.Event) {
	from, to := uint32(e.Args[events.ArgFromSlot]), uint32(e.Args[events.ArgToSlot])
	delete(h.unknown, to)
	tooLate := h.finishing != 0 && e.Time > h.finishing
	if uint64(to) == events.NoSlot || from == to || tooLate || h.bySlot[to] != nil { // added as one that runs
		return
	}
	kernel, err := h.kernel.addExecuted(to)
	if err != nil {
		h.strays++
		return
	}
	if pid := kernel.pid(); pid != 0 && !h.hasFiles() {
		h.refuse(pid, false, h.refused[pid], h.errNoFiles())
	}
	if kernel.pid() == 0 || !h.hasFiles() { // 0: outside pinwatch's PID namespace
		h.detached = errors.Join(h.detached, kernel.Close())
		return
	}
	before := h.byPID[kernel.pid()]
	m := h.adopt(kernel, before != nil && before.named, e.Time, e.Time)
	m.followed, m.known = e.Has(events.ExecFollowed), e.Has(events.ExecKnown)
	if h.ring != nil {
		m.executed = executed(h.ring.Executed)
	}
	m.o.cfg.NotBegun = true
	held, err := goruntime.Hold(m.o.target.PID) // now: it may end soon
	m.readFrom = h.now()
	if err == nil {
		m.o.process = held
	}
	h.startReading(m)
}

// dispatchExec handles the exec of a target.
func (h *hub) dispatchExec(e *events.Event) {
	from, slot := h.executor(e), uint32(e.Args[events.ArgToSlot])
	if slot == uint32(e.Args[events.ArgFromSlot]) { // the same target
		if from != nil {
			from.push(e)
			h.byTID.set(e.TID, from)
		}
		return
	}
	if r := h.executing[e.TID]; r != nil {
		h.complete(e.TID, r, r.at) // its Thread record was lost
	}
	r := &replacement{at: e.Time, to: cmp.Or(h.bySlot[slot], h.dropped[slot])}
	delete(h.dropped, slot)
	if r.to != nil && r.to.exec != e.Time {
		r.to = nil
	}
	if from != nil {
		left, known := h.leaving[e.TID]
		if left.TID = uint32(e.Args[events.ArgOldTID]); !known || left.Time != e.Time-1 {
			left = events.Event{}
		}
		if from.leave(e.Time-1, left, r.to); from.left && r.to != nil {
			r.to.before = &Execution{Exe: from.exeName(), Start: from.windowStart()}
		}
	}
	delete(h.leaving, e.TID)
	h.byTID.set(e.TID, r.to)
	h.executing[e.TID] = r
}

// executor is the target that an exec is of; nil = none that is known.
func (h *hub) executor(e *events.Event) *member {
	m := h.bySlot[uint32(e.Args[events.ArgFromSlot])]
	if m == nil || m.tgid != e.TID || e.Time < m.since { // the slot was another target's
		return nil
	}
	return m
}

// dispatchThread handles the Thread record before or after an Exec record. Their times are 1 ns apart
// (bpf/exec.bpf.h, exec_another).
func (h *hub) dispatchThread(e *events.Event) {
	r := h.executing[e.TID]
	if r == nil || e.Time != r.at+1 {
		h.leaving[e.TID] = *e
		return
	}
	if r.to != nil {
		r.to.comm = e.Name()
		r.to.push(e)
	}
	h.complete(e.TID, r, e.Time)
}

// complete begins the window of the program that an exec begins.
func (h *hub) complete(tid uint32, r *replacement, at events.Time) {
	delete(h.executing, tid)
	if r.to != nil {
		r.to.enter(at)
	}
}

// completeExecs completes those before a moment whose Thread record was lost, and forgets the states of
// threads whose Exec record was lost. All records before are dispatched.
func (h *hub) completeExecs(until events.Time) {
	for tid, r := range h.executing {
		if r.at+1 < until {
			h.complete(tid, r, r.at)
		}
	}
	for tid, left := range h.leaving {
		if left.Time+1 < until {
			delete(h.leaving, tid)
		}
	}
}

// lostEvery is the time between two looks for targets whose Exec records were lost.
const lostEvery = 100 * time.Millisecond

// findLost finds targets whose Exec records were lost. Until now the process is not observed. until: all
// records before are dispatched.
func (h *hub) findLost(now, until events.Time) {
	if now.Sub(h.looked) < lostEvery || h.finishing != 0 {
		return
	}
	h.looked = now
	unknown := map[uint32]events.Time{}
	for _, slot := range h.kernel.Executed() {
		since, known := h.unknown[slot]
		switch {
		case !known:
			unknown[slot] = h.now() // its record may be on its way
		case until <= since:
			unknown[slot] = since
		default:
			h.lostExec(slot)
		}
	}
	h.unknown = unknown
}

// lostExec observes a process from now on that became a target by itself.
func (h *hub) lostExec(slot uint32) {
	kernel, err := h.kernel.addExecuted(slot)
	if err != nil {
		return // dropped meanwhile
	}
	pid, alive := kernel.pid(), kernel.process().Alive()
	h.detached = errors.Join(h.detached, kernel.Close())
	named := false
	if old := h.byPID[pid]; old != nil && !old.left {
		named = old.named
		h.fail(old, lostExecError(pid))
	} else {
		h.problem(pid, lostExecError(pid))
	}
	if alive && pid != 0 {
		h.add(pid, named, 1)
	}
}

func lostExecError(pid int) error {
	return fmt.Errorf("process %d %w: what it did around then is left out; use a larger --ring-size", pid, errLostExec)
}
