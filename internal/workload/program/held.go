package program

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// held has goroutines that keep threads for good, in each way that an observer tells apart.
func held(*flag.FlagSet) func(*Workload) error {
	return func(w *Workload) error { return w.HoldThreads(nil) }
}

// HoldThreads sets up goroutines that keep their threads: in a system call, locked to them or not,
// and locked to them while they wait. It listens for SIGWINCH, for which the runtime locks a
// goroutine of its own (runtime.ensureSigM). inC, if not nil, calls C, which reads from fd.
func (w *Workload) HoldThreads(inC func(fd int, note func())) error {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGWINCH)
	for depth := 0; depth <= 2; depth++ {
		if err := w.holdInRead("call", depth, inGo); err != nil {
			return err
		}
		if inC == nil {
			continue
		}
		if err := w.holdInRead("c", depth, inC); err != nil {
			return err
		}
	}
	w.hold(workload.Held{Use: "parked"}, 1, func(note func()) {
		note()
		<-make(chan int)
	})
	return w.allAsleep()
}

func inGo(fd int, note func()) {
	note()
	var b [1]byte
	_, _ = syscall.Read(fd, b[:])
}

// holdInRead holds a thread in a read(2) of a pipe that nobody writes to.
func (w *Workload) holdInRead(use string, depth int, keep func(fd int, note func())) error {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe: %v", err)
	}
	w.hold(workload.Held{Use: use, Call: "read"}, depth, func(note func()) { keep(fds[0], note) })
	return nil
}

// heldCalls is the number of calls on the stack below a function that keeps a thread: more than one
// read of an observer covers.
const heldCalls = 40

// hold starts a goroutine that locks itself to a thread depth times and keeps it by keep, until the
// process ends. keep calls note and then returns no more.
func (w *Workload) hold(h workload.Held, depth int, keep func(note func())) {
	known := make(chan bool)
	p := &Pin{Pin: workload.Pin{Depth: depth, Role: "held"}}
	go func() {
		for i := 0; i < depth; i++ {
			runtime.LockOSThread()
		}
		p.identify()
		h.GoID, h.Depth = p.GoID, depth
		if depth > 0 { // else it may change its thread
			h.TID = p.TID
		}
		below(heldCalls, func() {
			keep(func() {
				h.Stack = probe.Calls(1)
				known <- true
			})
		})
	}()
	<-known
	w.held = append(w.held, h)
	if depth > 0 {
		w.pins = append(w.pins, p)
	}
}

// below calls f from a stack of n calls and more.
//
//go:noinline
func below(n int, f func()) int {
	if n == 0 {
		f()
		return 0
	}
	return below(n-1, f) + 1
}

// allAsleep waits until every goroutine that is held has fallen asleep with its thread.
func (w *Workload) allAsleep() error {
	for i := 0; i < 1000; i++ {
		if list, err := probe.Sleepers(); err != nil || list != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("the threads of %d goroutines do not fall asleep", len(w.held))
}
