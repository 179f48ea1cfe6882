package program

import (
	"errors"
	"flag"
	"runtime"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// alter has a goroutine change the scheduling policy of its thread, and return the thread.
func alter(flags *flag.FlagSet) func(*Workload) error {
	restore := flags.Bool("restore", false, "change it back before the unlock")
	early := flags.Bool("early", false, "change it once, before the lock, and lose the thread in between")
	keep := flags.Bool("keep", false, "change it once, after the lock, and keep the thread")
	return func(w *Workload) error {
		if *restore && *early || *restore && *keep || *early && *keep {
			return workload.Mistake("one of -restore, -early and -keep at most")
		}
		was := probe.StateOf(0)
		if was.Policy == nil {
			return errors.New(was.Error)
		}
		if err := probe.SetPolicy(*was.Policy); err != nil {
			return err // a policy with a priority can't be changed back
		}
		p := policies{was: *was.Policy, changed: probe.SchedBatch}
		if p.was == p.changed {
			p.changed = probe.SchedOther
		}
		switch {
		case *early:
			w.Run(func() { w.alterEarly(p) })
		case *keep:
			w.Pin("keep", 1, func(pin *Pin) {
				p.set(p.changed)
				w.beat(5*time.Millisecond, func() {
					pin.Ops++
					w.Op(1)
				})
			})
		default:
			w.Run(func() {
				w.beat(5*time.Millisecond, func() { w.alterLocked(p, *restore) })
			})
		}
		return nil
	}
}

// policies are the scheduling policy of the process, and one that a thread changes to.
type policies struct{ was, changed int }

// set sets the calling thread's.
func (p policies) set(policy int) {
	if err := probe.SetPolicy(policy); err != nil {
		panic(err) // it could be set before
	}
}

// alterLocked changes its thread under a lock, which is one operation.
//
//pinwatch:ignore the workload exists to show this
func (w *Workload) alterLocked(p policies, restore bool) {
	w.noteSite()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.set(p.changed)
	if restore {
		p.set(p.was)
	}
	w.Op(1)
}

// alterEarly changes its thread, and lets another goroutine take that thread before it locks. It
// tries until its lock is on another thread: then it has left a changed thread behind, which is one
// operation.
//
//pinwatch:ignore the workload exists to show this
func (w *Workload) alterEarly(p policies) {
	for w.Pause(time.Millisecond) {
		tid := syscall.Gettid()
		p.set(p.changed)
		taken, ended := make(chan struct{}), make(chan struct{})
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			close(taken)
			<-ended
		}()
		<-taken
		w.noteSite()
		runtime.LockOSThread()
		lost := syscall.Gettid() != tid
		if lost {
			w.Op(1)
		} else {
			p.set(p.was)
		}
		close(ended)
		for lost && w.Pause(5*time.Millisecond) {
		}
		runtime.UnlockOSThread()
	}
}

// panicking has a goroutine recover from a panic while it is locked, which is one operation, again
// and again.
func panicking(flags *flag.FlagSet) func(*Workload) error {
	deferred := flags.Bool("deferred", false, "defer the unlock, so that the panic does not skip it")
	return func(w *Workload) error {
		w.Run(func() {
			depth := 0
			w.beat(5*time.Millisecond, func() {
				w.recovering(*deferred)
				w.Op(1)
				if !*deferred {
					depth++
				}
			})
			for ; depth > 0; depth-- {
				runtime.UnlockOSThread() // an exit while locked would end a thread that no account has
			}
		})
		return nil
	}
}

func (w *Workload) recovering(deferred bool) {
	defer func() { _ = recover() }()
	w.failing(deferred)
}

// failing panics between its lock and its unlock.
//
//pinwatch:ignore the workload exists to show this
func (w *Workload) failing(deferred bool) {
	w.noteSite()
	runtime.LockOSThread()
	if deferred {
		defer runtime.UnlockOSThread()
	}
	w.fail()
	if !deferred {
		runtime.UnlockOSThread()
	}
}

func (w *Workload) fail() { panic(w.name) }
