package workload

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// wedged has a goroutine exit while locked to the main thread. The runtime can't end that thread and parks it for ever
// (runtime.mexit). The rest of the process goes on.
func wedged(flags *flag.FlagSet) func(*stage) error {
	alive := flags.Bool("alive", false, "the goroutine goes on instead, and is woken every 20 ms")
	return func(s *stage) error {
		exited, calls := make(chan struct{}), make(chan struct{})
		if err := s.onMain(func(p *Pin) (exit bool) {
			for *alive {
				select {
				case <-s.done:
					return false
				case <-calls:
					p.Ops++
					atomic.AddUint64(&s.ops, 1)
				}
			}
			if s.over() {
				return false
			}
			close(exited)
			return true
		}); err != nil {
			return err
		}
		if *alive {
			s.serve(calls, 20*time.Millisecond)
			return nil
		}
		s.run(func() {
			select {
			case <-s.done: // both may be so
			case <-exited:
			}
			select {
			case <-exited:
				s.noteWedged()
			default:
			}
			for s.pause(time.Millisecond) {
				atomic.AddUint64(&s.ops, 1)
			}
		})
		return nil
	}
}

// maxSeek is how many threads may be held while the main one is looked for: more than any workload has before it begins.
const maxSeek = 64

// onMain starts a goroutine that is locked to the main thread and runs body there, from the beginning on. If body says
// so the goroutine then exits, still locked; otherwise it rests, as every pin.
func (s *stage) onMain(body func(*Pin) (exit bool)) error {
	found := make(chan bool)
	go s.seekMain(maxSeek, found, body)
	if !<-found {
		return errors.New("no goroutine came to run on the main thread")
	}
	return nil
}

// seekMain says whether it or one it started has landed on the main thread. Nobody can choose a thread, but who holds the
// one he has leaves fewer to choose from.
func (s *stage) seekMain(tries int, found chan<- bool, body func(*Pin) bool) {
	runtime.LockOSThread()
	if syscall.Gettid() != syscall.Getpid() {
		inner, ok := make(chan bool), false
		if tries > 0 {
			go s.seekMain(tries-1, inner, body)
			ok = <-inner
		}
		runtime.UnlockOSThread()
		found <- ok
		return
	}
	p := &Pin{Depth: 1, Role: "main"}
	p.identify()
	s.pins = append(s.pins, p)
	s.active.Add(1)
	found <- true
	<-s.begun
	if body(p) {
		s.unpin(p)
		s.active.Done()
		runtime.Goexit()
	}
	s.active.Done()
	<-s.left
	runtime.UnlockOSThread()
}

// unpin strikes a pin off the account.
func (s *stage) unpin(p *Pin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.pins {
		if s.pins[i] == p {
			s.pins = append(s.pins[:i], s.pins[i+1:]...)
			return
		}
	}
}

// noteWedged waits until the main thread, whose goroutine is at its end, sleeps. It will not wake up.
func (s *stage) noteWedged() {
	for main := syscall.Getpid(); ; time.Sleep(100 * time.Microsecond) {
		if state, err := taskState(main); err == nil && state == 'S' {
			s.mu.Lock()
			s.wedged = main
			s.mu.Unlock()
			return
		}
	}
}

// taskState is the kernel's letter for what a thread of this process does: R, S, D, … (Documentation/filesystems/proc.rst).
func taskState(tid int) (byte, error) {
	f, err := os.Open("/proc/self/task/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read a thread's state: %v", err)
	}
	defer f.Close()
	var buf [128]byte // the state is the third field
	n, err := f.Read(buf[:])
	if err != nil {
		return 0, fmt.Errorf("read a thread's state: %v", err)
	}
	stat := buf[:n]
	after := bytes.LastIndexByte(stat, ')') // the name before may hold anything
	if after < 0 || after+2 >= len(stat) {
		return 0, errors.New("read a thread's state: no such field")
	}
	return stat[after+2], nil
}
