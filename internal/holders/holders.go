// Package holders finds out what holds each thread of a Go program at one moment: which function is
// in which call. It joins the goroutine in the runtime's memory with the system call in /proc. It
// neither stops nor changes the process.
package holders

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// What a thread is in use for.
const (
	Call    = "call"    // its goroutine is in a system call
	C       = "c"       // its goroutine has called C
	Runs    = "runs"    // its goroutine runs
	Parked  = "parked"  // it waits for its locked goroutine, which does not run
	Idle    = "idle"    // it has no goroutine: the runtime keeps it for later
	Runtime = "runtime" // the runtime itself: sysmon, the template thread, a search for work
	Exited  = "exited"  // its goroutine has exited while locked
	Ended   = "ended"   // it has ended itself, while others go on
	Foreign = "foreign" // it runs no Go now: C made it, or the kernel did (Function is IOWorker)
	Unknown = "unknown"
)

// IOWorker is the Function of a Foreign thread that the kernel made for its own work, as io_uring does.
const IOWorker = "io_worker"

// Holder is what holds one thread. "" = not known, or none.
type Holder struct {
	Use string
	// Function is the innermost one on the goroutine's stack that is not the standard library's. Where
	// there is none it is the one that the goroutine began with.
	Function string
	Via      string // the function that Function has called
	Call     string // the system call that the thread sleeps in
	WChan    string // the kernel function that the thread sleeps in
	CFunc    string // the C function that the goroutine has called
	Stack    []goruntime.Frame
	Whole    bool // Stack goes back to where the goroutine began
}

// A Reader reads the holders of a process's threads. It is not safe for concurrent use.
type Reader struct {
	pid     int
	entry   func(pc uint64) string
	rt      *goruntime.Runtime
	stacks  *goruntime.StackReader // nil: goroutines can't be read
	own     string                 // first element of the path of the main package
	refused error                  // why the system calls can't be read
	until   time.Time              // no read begins after that
	late    int                    // threads that were not read for that reason
}

// NewReader prepares reads. rt and symbols may be nil: then little is known.
func NewReader(pid int, rt *goruntime.Runtime, symbols *goruntime.Symbols) *Reader {
	r := &Reader{pid: pid, rt: rt}
	if rt == nil {
		return r
	}
	r.own, _, _ = strings.Cut(rt.Path, "/")
	var code goruntime.Code
	if symbols != nil {
		code, r.entry = symbols, symbols.EntryName
	}
	r.stacks, _ = rt.Stacks(code) // the error is that of reading the Ms, which is reported
	return r
}

// Begin begins the reads of all threads, which take limit at most: what is not read then is unknown.
func (r *Reader) Begin(limit time.Duration) { r.until, r.late = time.Now().Add(limit), 0 }

// Warnings returns why something is not known.
func (r *Reader) Warnings() (warnings []string) {
	if r.refused != nil {
		warnings = append(warnings, fmt.Sprintf("which system calls the threads are in is not known: "+
			"it takes CAP_SYS_PTRACE, or to run as the user of the process: %v", r.refused))
	}
	if r.late > 0 {
		warnings = append(warnings, fmt.Sprintf("what holds %d threads was not read: the reads took too long", r.late))
	}
	return warnings
}

// errBusy means that a thread without a goroutine has one by now.
var errBusy = errors.New("the thread has a goroutine by now")

// Read returns the holder of the thread tid with the M m, which it reads again where that has
// another goroutine by now. asleep: the kernel has the thread asleep.
func (r *Reader) Read(tid int32, m *goruntime.M, asleep bool) Holder {
	if time.Now().After(r.until) {
		r.late++
		return Holder{Use: Unknown}
	}
	h, err := r.read(tid, m, asleep)
	if err == nil {
		return h
	}
	again, err := r.rt.MAt(m.Addr, m.TID)
	if err != nil {
		return Holder{Use: Unknown} // it has ended
	}
	*m = again
	if h, err = r.read(tid, m, asleep); err != nil {
		return Holder{Use: Unknown}
	}
	return h
}

func (r *Reader) read(tid int32, m *goruntime.M, asleep bool) (Holder, error) {
	c := r.call(tid, asleep)
	without := Holder{Use: Unknown, Call: c.name()}
	switch {
	case c.ended:
		return Holder{Use: Ended}, nil
	case m.Lock == goruntime.LockExiting, m.Lock == goruntime.LockWedged:
		without.Use = Exited
	case m.Role == goruntime.RoleSysmon, m.Role == goruntime.RoleTemplate:
		without.Use, without.Function = Runtime, m.Role
	case m.G == 0 && m.Lock == goruntime.LockNone:
		if r.stacks != nil && !r.stacks.None(m) {
			return Holder{}, errBusy
		}
		without.Use = Runtime // it searches for work, or collects garbage
		if c.in || asleep && r.refused != nil {
			without.Use = Idle
		}
	}
	if without.Use != Unknown || m.G == 0 || r.stacks == nil {
		without.WChan = r.wchan(tid, asleep)
		return without, nil
	}
	g, err := r.stacks.Read(m, goruntime.Registers{SP: c.SP, PC: c.PC})
	if err != nil {
		return Holder{}, err
	}
	wchan := r.wchan(tid, asleep)
	if c.in && r.call(tid, asleep) != c { // call, stack and wchan are of different moments
		c, wchan = call{}, ""
		if !g.InCall && !g.Parked {
			g.Frames, g.Whole = nil, false
		}
	}
	h := Holder{Use: Runs, Call: c.name(), WChan: wchan, Stack: g.Frames, Whole: g.Whole}
	switch {
	case m.Role == goruntime.RoleCgoExtra && g.InCall && len(g.Frames) == 0 && r.entry != nil:
		h.Use = Foreign // its goroutine has called nothing: it was lent for a call of Go, which is over
	case g.Parked:
		h.Use = Parked
	case g.InCall:
		h.Use = Call
		if len(g.Frames) > 0 && g.Frames[0].Func == fnCgocall {
			h.Use, h.CFunc = C, cFunction(g.Frames)
		}
	case c.in:
		h.Use = Call // of the runtime, or by syscall.RawSyscall: the goroutine counts as running
	}
	h.Function, h.Via = r.function(g.Frames)
	if h.Function == "" && g.EntryPC != 0 && r.entry != nil {
		h.Function, h.Via = r.entry(g.EntryPC), ""
	}
	if m.Role == goruntime.RoleCgoExtra && h.Function == "" && h.Use != Parked { // back in the C code that called Go
		h.Use = Foreign
	}
	return h, nil
}

// Without returns the holder of a thread without a known M. foreign: it has none.
func (r *Reader) Without(tid int32, asleep, foreign bool) Holder {
	c := r.call(tid, asleep)
	h := Holder{Use: Unknown, Call: c.name(), WChan: r.wchan(tid, asleep)}
	switch {
	case c.ended:
		h.Use = Ended
	case foreign:
		h.Use = Foreign
	}
	return h
}

func (r *Reader) wchan(tid int32, asleep bool) string {
	if !asleep {
		return ""
	}
	return procfs.Thread(r.pid, tid).WChan()
}

// A call is the system call that a thread sleeps in.
type call struct {
	procfs.Syscall
	in    bool // there is one
	ended bool // there is no such thread any more
}

func (c call) name() string {
	if !c.in {
		return ""
	}
	return c.Syscall.Name()
}

func (r *Reader) call(tid int32, asleep bool) call {
	if !asleep || r.refused != nil {
		return call{}
	}
	c, in, err := procfs.Thread(r.pid, tid).Syscall()
	if errors.Is(err, fs.ErrPermission) {
		r.refused = err
	}
	return call{c, in, errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)}
}

const (
	fnCgocall  = "runtime.cgocall" // runtime/cgocall.go: every call of C by a goroutine
	cgoWrapper = "._Cfunc_"        // cmd/cgo: in front of the name of a C function
)

// cFunction returns the name of the C function that a stack in runtime.cgocall has called, "" where
// it was not called through cgo's function for it.
func cFunction(frames []goruntime.Frame) string {
	if len(frames) < 2 {
		return ""
	}
	_, name, _ := strings.Cut(frames[1].Func, cgoWrapper)
	return name
}

// function returns the innermost function that is not the standard library's, and the one it has
// called.
func (r *Reader) function(frames []goruntime.Frame) (name, called string) {
	for _, f := range frames {
		if !strings.Contains(f.Func, cgoWrapper) && !r.standard(f.Func) {
			return f.Func, called
		}
		called = f.Func
	}
	return "", ""
}

// plumbing are packages outside the standard library that are nothing but system calls.
const plumbing = "golang.org/x/sys/"

// standard reports whether a function is the standard library's. Paths whose first element has no
// dot are reserved for it, but programs of one module without a dot are common.
func (r *Reader) standard(function string) bool {
	if strings.HasPrefix(function, plumbing) {
		return true
	}
	first, _, path := strings.Cut(function, "/")
	if !path {
		first, _, _ = strings.Cut(function, ".")
	}
	return first != "main" && first != r.own && !strings.Contains(first, ".")
}
