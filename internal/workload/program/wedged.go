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

// wedged has a goroutine exit while locked to the main thread. The runtime can't end that thread
// and parks it for ever (runtime.mexit). The rest of the process goes on.
func wedged(flags *flag.FlagSet) func(*Workload) error {
	alive := flags.Bool("alive", false, "the goroutine goes on instead, and is woken every 20 ms")
	return func(w *Workload) error {
		exited, calls := make(chan struct{}), make(chan struct{})
		if err := w.pinMain(func(p *Pin) (exit bool) {
			for *alive {
				select {
				case <-w.done:
					return false
				case <-calls:
					p.Ops++
					w.Op(1)
				}
			}
			if w.isOver() {
				return false
			}
			close(exited)
			return true
		}); err != nil {
			return err
		}
		if *alive {
			w.serve(calls, 20*time.Millisecond)
			return nil
		}
		w.Run(func() {
			select {
			case <-w.done: // both channels may be closed
			case <-exited:
			}
			select {
			case <-exited:
				w.noteWedged()
			default:
			}
			for w.Pause(time.Millisecond) {
				w.Op(1)
			}
		})
		return nil
	}
}

// maxSeek is how many threads may be held while the main one is searched for: more than any program
// has before it begins.
const maxSeek = 64

// pinMain starts a goroutine that is locked to the main thread and runs body there, from the
// beginning on. If body returns true the goroutine then exits, still locked. Otherwise it rests, as
// every pin.
func (w *Workload) pinMain(body func(*Pin) (exit bool)) error {
	found := make(chan bool)
	go w.seekMain(maxSeek, found, body)
	if !<-found {
		return errors.New("no goroutine came to run on the main thread")
	}
	return nil
}

// seekMain sends whether it, or a goroutine that it started, has come to run on the main thread. A
// goroutine can't choose its thread. But one that holds the thread it has leaves fewer for the next
// one.
func (w *Workload) seekMain(tries int, found chan<- bool, body func(*Pin) bool) {
	runtime.LockOSThread()
	if syscall.Gettid() != syscall.Getpid() {
		inner, ok := make(chan bool), false
		if tries > 0 {
			go w.seekMain(tries-1, inner, body)
			ok = <-inner
		}
		runtime.UnlockOSThread()
		found <- ok
		return
	}
	p := &Pin{Pin: workload.Pin{Depth: 1, Role: "main"}}
	p.identify()
	w.pins = append(w.pins, p)
	w.active.Add(1)
	found <- true
	<-w.begun
	if body(p) {
		w.removePin(p)
		w.active.Done()
		runtime.Goexit()
	}
	w.active.Done()
	<-w.left
	runtime.UnlockOSThread()
}

// noteWedged waits until the main thread, whose goroutine is at its end, sleeps. It will not wake
// up.
func (w *Workload) noteWedged() {
	for main := syscall.Getpid(); ; time.Sleep(100 * time.Microsecond) {
		if state, err := probe.TaskState(main); err == nil && state == 'S' {
			w.mu.Lock()
			w.wedged = main
			w.mu.Unlock()
			return
		}
	}
}
