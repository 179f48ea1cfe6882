package goruntime

import (
	"errors"
	"fmt"
	"time"
)

// M is one machine of the runtime (runtime/runtime2.go, type m): what Go knows about an OS thread, at one moment.
type M struct {
	Addr uint64
	ID   int64 // the runtime's number; m0 has 0
	// TID is the thread, in the target's own PID namespace; 0 = none: the thread has not begun yet, it is about to end, or
	// this is an extra M that waits for a C thread to call Go.
	TID  int32
	Role string
	Lock string

	Ext, Int uint32 // locks by LockOSThread and by the runtime itself; meaningless when Lock is LockUnknown
	// GoID is the locked goroutine, 0 = none. EntryPC is the function it began with, 0 = none or one that C called.
	GoID    uint64
	EntryPC uint64
	// Parked: the locked goroutine does not run, so the thread sleeps or is about to. It is false when nothing is locked.
	Parked bool
	// WaitReason is the release's own number of what a parked goroutine waits for (runtime2.go, waitReason); 0 unless its
	// status is "waiting".
	WaitReason uint8
	CurGoID    uint64 // the goroutine the thread runs, perhaps in a system call; 0 = none
	P          int32  // the P it holds; -1 = none
}

// Roles of an M.
const (
	RoleMain     = "main"      // m0, the thread the runtime began on
	RoleSysmon   = "sysmon"    // the monitor
	RoleTemplate = "template"  // starts threads for those that are in no state to; exists from the first LockOSThread on
	RoleWorker   = "worker"    // runs goroutines
	RoleCgoExtra = "cgo_extra" // lent to a thread that C made while it runs Go
	RoleUnknown  = "unknown"
)

// What holds a goroutine and an M together.
const (
	LockNone    = "none"
	LockUser    = "user"    // runtime.LockOSThread, perhaps within the runtime's own lock
	LockRuntime = "runtime" // the runtime alone: a C function has called Go, or main.init runs
	LockExiting = "exiting" // the goroutine has exited while locked, the thread is about to
	LockWedged  = "wedged"  // the same on m0, which is parked for ever
	LockUnknown = "unknown" // it changed all the time, or contradicts itself
)

// Errors of reading Ms.
var (
	// ErrNoAllM says that the list of Ms can't be found: the program has neither .symtab nor DWARF. Threads can then be
	// read one by one, by ThreadM.
	ErrNoAllM = errors.New("the program does not tell where runtime.allm is")
	// ErrNoOffsets says that the layout of the runtime's structs, or of thread-local storage, is not known; Info.Unknown
	// may say why.
	ErrNoOffsets = errors.New("the layout of the program's runtime is not known")
	// ErrForeign says that a thread runs no Go code and has no M now: C made it, or the runtime is just starting it.
	ErrForeign = errors.New("the Go runtime does not know the thread")
	// ErrCheck says that what memory holds is not an M of this thread. A thread that begins or ends looks so for a moment.
	ErrCheck = errors.New("not an M of this thread")
)

const (
	maxMs     = 1 << 16         // Ms that are read; the runtime itself stops at 10,000 unless told otherwise
	walkTime  = 2 * time.Second // for one list of Ms
	walkTries = 3               // a list that changes under the reader may lead astray
)

// Ms reads every M of the runtime, the newest first. Those that have no thread are among them, with TID 0. With an error there may
// still be Ms: each of them has been checked, but the list is not whole. Errors satisfy errors.Is with ErrNoAllM or ErrNoOffsets.
// It takes two seconds at most.
func (r *Runtime) Ms() ([]M, error) {
	var ms []M
	_, err := r.walk(func(rd *msReader, n int, addr uint64) (next uint64, err error) {
		m, next, err := rd.m(addr)
		if err == nil {
			ms = append(ms[:n], m)
		}
		return next, err
	})
	return disown(ms), err
}

// MAddresses are those of all Ms of the runtime, by the links between them alone: where each is only to be known again, that is a fifth of the
// reads. With an error there are none. It takes as long as Ms at most.
func (r *Runtime) MAddresses() (map[uint64]bool, error) {
	return r.walk(func(rd *msReader, _ int, addr uint64) (next uint64, err error) {
		return rd.pointer(addr, rd.o.MAllLink)
	})
}

// walk follows runtime.allm through m.alllink, again from the beginning where it is led astray. step reads the nth M.
func (r *Runtime) walk(step func(rd *msReader, n int, addr uint64) (next uint64, err error)) (map[uint64]bool, error) {
	rd, err := r.reader()
	if err != nil {
		return nil, err
	}
	if r.AllM == 0 {
		return nil, ErrNoAllM
	}
	deadline := time.Now().Add(walkTime)
	for i := 1; ; i++ {
		seen, err := rd.walk(r.AllM, deadline, step)
		if err == nil || i == walkTries || errors.Is(err, errLimit) {
			return seen, err
		}
	}
}

func (rd *msReader) walk(allm uint64, deadline time.Time, step func(rd *msReader, n int, addr uint64) (uint64, error)) (map[uint64]bool, error) {
	addr, err := rd.word(allm)
	if err != nil {
		return nil, fmt.Errorf("read runtime.allm: %w", err)
	}
	seen := make(map[uint64]bool)
	for addr != 0 {
		n := len(seen)
		switch {
		case seen[addr]:
			return nil, fmt.Errorf("read Ms: the list leads back to %#x", addr)
		case n == maxMs:
			return nil, fmt.Errorf("read Ms: more than %d: %w", maxMs, errLimit)
		case time.Now().After(deadline):
			return nil, fmt.Errorf("read Ms: not through after %v: %w", walkTime, errLimit)
		}
		seen[addr] = true
		if addr, err = step(rd, n, addr); err != nil {
			return nil, fmt.Errorf("read M %d of the list: %w", n+1, err)
		}
	}
	return seen, nil
}

// disown makes what is said of a thread unknown where two Ms claim it: no thread has two.
func disown(ms []M) []M {
	owners := make(map[int32]int, len(ms))
	for i := range ms {
		owners[ms[i].TID]++
	}
	for i := range ms {
		if m := &ms[i]; m.TID != 0 && owners[m.TID] > 1 {
			*m = M{Addr: m.Addr, ID: m.ID, TID: m.TID, Role: RoleUnknown, Lock: LockUnknown, P: -1}
		}
	}
	return ms
}

// ThreadM reads the M of the thread whose id is tid, in the target's own PID namespace. base is its thread pointer (FS base,
// TPIDR_EL0) or, where Info.GSlot says that g is in a register, that register. Errors satisfy errors.Is with ErrForeign, ErrCheck
// or ErrNoOffsets.
func (r *Runtime) ThreadM(base uint64, tid int32) (M, error) {
	rd, err := r.reader()
	if err != nil {
		return M{}, err
	}
	slot := r.GSlot
	if slot == nil {
		return M{}, fmt.Errorf("find g: %w", ErrNoOffsets)
	}
	g := base
	if !slot.Register {
		if g, err = rd.word(base + uint64(slot.TLS)); err != nil {
			return M{}, fmt.Errorf("read g of thread %d: %w", tid, err)
		}
	}
	if g == 0 {
		return M{}, ErrForeign
	}
	addr, err := rd.pointer(g, rd.o.GM)
	if err != nil {
		return M{}, fmt.Errorf("read m of thread %d: %w: %w", tid, ErrCheck, err)
	}
	return rd.mOf(addr, tid)
}

// MAt reads the M at addr, which thread tid, in the target's own PID namespace, must run. Errors satisfy errors.Is with ErrCheck or
// ErrNoOffsets.
func (r *Runtime) MAt(addr uint64, tid int32) (M, error) {
	rd, err := r.reader()
	if err != nil {
		return M{}, err
	}
	return rd.mOf(addr, tid)
}

func (rd *msReader) mOf(addr uint64, tid int32) (M, error) {
	m, _, err := rd.m(addr)
	if err != nil {
		return M{}, fmt.Errorf("read m of thread %d: %w: %w", tid, ErrCheck, err)
	}
	if m.TID != tid || tid == 0 {
		return M{}, fmt.Errorf("M %d runs thread %d, not %d: %w", m.ID, m.TID, tid, ErrCheck)
	}
	return m, nil
}
