package goruntime

import (
	"errors"
	"fmt"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// M is one M of the runtime (runtime/runtime2.go, type m) at one moment: its record of an OS
// thread.
type M struct {
	Addr uint64
	ID   int64 // the runtime's number; m0 has 0
	// TID is the thread, in its PID namespace. It is 0 if there is none: the thread has not begun yet,
	// it is about to end, or this is an extra M that waits for a C thread to call Go.
	TID  int32
	Role string
	Lock string

	Ext, Int uint32 // locks by LockOSThread and by the runtime; no meaning if Lock is LockUnknown
	// GoID is the locked goroutine, 0 = none. EntryPC is the function it began with, 0 = none, or C
	// called Go.
	GoID    uint64
	EntryPC uint64
	// Parked: the locked goroutine does not run, so the thread sleeps or is about to. It is false
	// without a lock.
	Parked bool
	// WaitReason is the release's number for the reason why a parked goroutine waits (runtime2.go,
	// waitReason). It is 0 unless the status of the goroutine is "waiting".
	WaitReason uint8
	CurGoID    uint64 // the goroutine the thread runs, perhaps in a system call; 0 = none
	CurEntryPC uint64 // the function it began with; 0 = none, or not known
	InCall     bool   // it is in a system call or in C
	G          uint64 // address of that goroutine; without one, of the locked one; 0 = none
	P          int32  // the P it holds; -1 = none
}

// Roles of an M.
const (
	RoleMain     = "main"      // m0, the thread the runtime began on
	RoleSysmon   = "sysmon"    // the monitor
	RoleTemplate = "template"  // starts threads in place of locked ones; exists from the first LockOSThread on
	RoleWorker   = "worker"    // runs goroutines
	RoleCgoExtra = "cgo_extra" // lent to a thread that C made, while it runs Go
	RoleUnknown  = "unknown"
)

// Locks of an M to a goroutine, by their holder.
const (
	LockNone    = "none"
	LockUser    = "user"    // runtime.LockOSThread; the runtime may hold a lock too. But see RuntimeLocks
	LockRuntime = "runtime" // only the runtime: a C function has called Go, or main.init runs
	LockExiting = "exiting" // the goroutine has exited while locked, and the thread is about to exit
	LockWedged  = "wedged"  // the same on m0, which is then parked for ever
	LockUnknown = "unknown" // it changed during every read, or its fields contradict each other
)

// RuntimeLocks reports whether the runtime starts a goroutine for itself with the named function and
// calls LockOSThread there: the lock is its own, not the program's. There is one in every program
// that uses os/signal (runtime/signal_unix.go), in Go 1.13 to 1.27. Other goroutines that begin with
// a function of the runtime run code of the program: runtime.main, finalizers, coroutines.
func RuntimeLocks(function string) bool { return function == "runtime.ensureSigM.func1" }

// Errors of reading Ms.
var (
	// ErrNoAllM means that the program has no .symtab, so the list of Ms cannot be found. ThreadM can
	// then read the M of each thread.
	ErrNoAllM = errors.New("the address of runtime.allm is not known")
	// ErrNoOffsets means that the layout of the runtime's structs, or of thread-local storage, is not
	// known. Info.Unknown may have the reason.
	ErrNoOffsets = errors.New("the layout of the program's runtime is not known")
	// ErrForeign means that a thread runs no Go code and has no M now: C made it, or the runtime is
	// just starting it.
	ErrForeign = errors.New("the thread has no M of the Go runtime")
	// ErrCheck means that the memory holds no M of this thread. That is so for a moment when a thread
	// begins or ends.
	ErrCheck = errors.New("not an M of this thread")
)

const (
	maxMs     = 1 << 16         // Ms that are read; the runtime stops at 10,000 (debug.SetMaxThreads)
	walkTime  = 2 * time.Second // for one list of Ms
	walkTries = 3               // a list that changes during a walk may lead to memory that is no M
)

// Ms reads every M of the runtime, the newest first. Ms without a thread have TID 0. With an error
// the result may hold Ms: each of them has been checked, but the list is not whole. Errors may
// satisfy errors.Is with ErrNoAllM or ErrNoOffsets. Ms takes two seconds at most.
func (r *Runtime) Ms() ([]M, error) {
	var ms []M
	_, err := r.walk(func(rd *msReader, n int, addr uint64) (next uint64, err error) {
		m, next, err := rd.readM(addr)
		if err == nil {
			ms = append(ms[:n], m)
		}
		return next, err
	})
	return rejectShared(ms), err
}

// MAddresses returns the addresses of all Ms of the runtime. It reads only the links between them:
// a fifth of the reads of Ms, and enough to find an M again. With an error the result is nil. It
// takes two seconds at most.
func (r *Runtime) MAddresses() (map[uint64]bool, error) {
	return r.walk(func(rd *msReader, _ int, addr uint64) (next uint64, err error) {
		return rd.pointer(addr, rd.o.MAllLink)
	})
}

// A walkStep reads the nth M of the list, at addr, and returns the address of the next.
type walkStep func(rd *msReader, n int, addr uint64) (next uint64, err error)

// walk follows runtime.allm through m.alllink. It starts again after an error, at most walkTries
// times.
func (r *Runtime) walk(step walkStep) (map[uint64]bool, error) {
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
		if err == nil || i == walkTries || errors.Is(err, objfile.ErrLimit) {
			return seen, err
		}
	}
}

func (rd *msReader) walk(allm uint64, deadline time.Time, step walkStep) (map[uint64]bool, error) {
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
			return nil, fmt.Errorf("read Ms: more than %d: %w", maxMs, objfile.ErrLimit)
		case time.Now().After(deadline):
			return nil, fmt.Errorf("read Ms: not done after %v: %w", walkTime, objfile.ErrLimit)
		}
		seen[addr] = true
		if addr, err = step(rd, n, addr); err != nil {
			return nil, fmt.Errorf("read M %d of the list: %w", n+1, err)
		}
	}
	return seen, nil
}

// rejectShared makes Ms with the same thread unknown: a thread has one M.
func rejectShared(ms []M) []M {
	count := make(map[int32]int, len(ms))
	for i := range ms {
		count[ms[i].TID]++
	}
	for i := range ms {
		if m := &ms[i]; m.TID != 0 && count[m.TID] > 1 {
			*m = M{Addr: m.Addr, ID: m.ID, TID: m.TID, Role: RoleUnknown, Lock: LockUnknown, P: -1}
		}
	}
	return ms
}

// ThreadM reads the M of the thread with the id tid in its PID namespace. base is its thread
// pointer (FS base, TPIDR_EL0), or the register with g if Info.GSlot.Register is set. Errors may
// satisfy errors.Is with ErrForeign, ErrCheck or ErrNoOffsets.
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
	return rd.threadM(addr, tid)
}

// MAt reads the M at addr, which must be that of the thread with the id tid in its PID namespace.
// Errors may satisfy errors.Is with ErrCheck or ErrNoOffsets.
func (r *Runtime) MAt(addr uint64, tid int32) (M, error) {
	rd, err := r.reader()
	if err != nil {
		return M{}, err
	}
	return rd.threadM(addr, tid)
}

// threadM reads the M at addr and checks that it is that of thread tid.
func (rd *msReader) threadM(addr uint64, tid int32) (M, error) {
	m, _, err := rd.readM(addr)
	if err != nil {
		return M{}, fmt.Errorf("read m of thread %d: %w: %w", tid, ErrCheck, err)
	}
	if m.TID != tid || tid == 0 {
		return M{}, fmt.Errorf("M %d is that of thread %d, not %d: %w", m.ID, m.TID, tid, ErrCheck)
	}
	return m, nil
}
