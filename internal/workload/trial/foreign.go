package trial

import (
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"syscall"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Lend is the account of the trial lend: a locked goroutine that takes values from a coroutine.
type Lend struct {
	Head
	Missing bool  `json:"missing"` // this release has no coroutines
	GoID    int64 `json:"goid"`
	TID     int   `json:"tid"`   // of the locked goroutine
	Turns   []Run `json:"turns"` // of the coroutine
	After   int   `json:"tid_after"`
}

// Run is a goroutine on a thread.
type Run struct {
	GoID int64 `json:"goid"`
	TID  int   `json:"tid"`
}

// lend has a locked goroutine resume a coroutine, which is another goroutine. The claim of the
// coroutine's first turn is that the lock is held then.
func lend(flags *flag.FlagSet) func(Self) (Result, error) {
	turns := flags.Int("turns", 1000, "values that the locked goroutine takes, 1 or more")
	lock := probe.LockFlags(flags)
	return func(self Self) (Result, error) {
		if *turns < 1 {
			return nil, workload.Mistake("-turns must be 1 or more")
		}
		a := &Lend{Turns: []Run{}}
		ended := make(chan struct{})
		go func() {
			if lock.Next() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
			}
			a.GoID, a.TID = probe.GoID(), syscall.Gettid()
			next, stop, ok := probe.Coroutine(func(yield func(int) bool) {
				self.Claim(Hold(1))
				for i := 0; ; i++ {
					a.Turns = append(a.Turns, Run{GoID: probe.GoID(), TID: syscall.Gettid()})
					if !yield(i) {
						return
					}
				}
			})
			if a.Missing = !ok; !a.Missing {
				for i := 0; i < *turns; i++ {
					next()
				}
				stop()
			}
			a.After = syscall.Gettid()
			close(ended)
		}()
		<-ended
		return a, nil
	}
}

// Elsewhere is the account of the trial elsewhere.
type Elsewhere struct {
	Head
	How     string   `json:"how"`
	Missing bool     `json:"missing"` // this release has no such call
	Refused string   `json:"refused"` // why the kernel refused the call; "" = it did not
	Calls   []Change `json:"calls"`
}

// Change is the state of a locked goroutine's thread before and after a call by a goroutine on
// another thread. The locked goroutine did nothing in between.
type Change struct {
	TID    int    `json:"tid"`
	Caller int    `json:"caller_tid"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// elsewhere has a goroutine change the state of all threads, among them that of a locked goroutine,
// or of that thread by its tid.
func elsewhere(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("calls", 6, "calls, each beside another locked goroutine; 1 or more")
	how := flags.String("how", "allthreads", "allthreads: AllThreadsSyscall of prctl(PR_SET_NAME); "+
		"setgid: Setgid; tid: the thread's name in /proc")
	skip := flags.Bool("skip-call", false, "change the calling thread alone")
	return func(self Self) (Result, error) {
		group := probe.ThreadGID()
		call := map[string]func(i, tid int) (bool, error){
			"allthreads": func(i, _ int) (bool, error) { return nameThreads(*skip, i) },
			"setgid":     func(i, _ int) (bool, error) { return setGroup(*skip, group+(i+1)%2) },
			"tid":        func(i, tid int) (bool, error) { return nameByTID(*skip, i, tid) },
		}[*how]
		if *n < 1 || call == nil {
			return nil, workload.Mistake("-calls must be 1 or more and -how allthreads, setgid or tid")
		}
		a := &Elsewhere{How: *how, Calls: []Change{}}
		for i := 0; i < *n && !a.Missing && a.Refused == ""; i++ {
			a.Calls = append(a.Calls, a.change(self, i, i == *n-1, call))
		}
		if a.Missing || a.Refused != "" {
			a.Calls = []Change{}
		}
		return a, nil
	}
}

// change makes the call on another thread than that of a locked goroutine, which waits.
func (a *Elsewhere) change(self Self, i int, last bool, call func(i, tid int) (bool, error)) Change {
	var c Change
	state := func() string { return fmt.Sprintf("%s gid %d", probe.ThreadName(), probe.ThreadGID()) }
	ready, called, read := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		former := probe.ThreadName()
		defer probe.NameThread(former)
		probe.NameThread("pinned " + strconv.Itoa(i))
		c.TID, c.Before = syscall.Gettid(), state()
		close(ready)
		<-called
		c.After = state()
		if last { // a thread that reads the answer blocks the call in Go 1.16 and 1.17
			self.Claim(Hold(1))
		}
	}()
	<-ready
	runtime.LockOSThread()
	c.Caller = syscall.Gettid()
	ok, err := call(i, c.TID)
	runtime.UnlockOSThread()
	a.Missing = !ok
	if err != nil {
		a.Refused = err.Error()
	}
	close(called)
	<-read
	return c
}

// nameThreads names all threads, or the calling one.
func nameThreads(alone bool, i int) (ok bool, err error) {
	name := "named " + strconv.Itoa(i)
	if alone {
		probe.NameThread(name)
		return true, nil
	}
	return probe.NameAllThreads(name)
}

// nameByTID names a thread by its tid, or the calling thread.
func nameByTID(alone bool, i, tid int) (ok bool, err error) {
	if alone {
		tid = syscall.Gettid()
	}
	return true, probe.NameTask(tid, "named "+strconv.Itoa(i))
}

// setGroup changes the group id of all threads, or of the calling one.
func setGroup(alone bool, gid int) (ok bool, err error) {
	if !alone {
		err = syscall.Setgid(gid)
	} else if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGID, uintptr(gid), 0, 0); errno != 0 {
		err = errno
	}
	return err != syscall.EOPNOTSUPP, err // before Go 1.16 (syscall/syscall_linux.go)
}
