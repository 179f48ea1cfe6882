package main

// #include "trials.h"
import "C"

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"syscall"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// callbacksTrial has threads that C made call Go, and goroutines call C that calls Go.
func callbacksTrial(flags *flag.FlagSet) func(trial.Self) (trial.Result, error) {
	threads := flags.Int("threads", 3, "threads that C makes, and as many goroutines; 1 to 4")
	times := flags.Int("times", 3, "calls of each, 1 or more")
	samples := flags.Int("samples", 300, "samples in a call, 1 or more")
	direct := flags.Bool("direct", false, "goroutines call the Go function without C")
	return func(self trial.Self) (trial.Result, error) {
		if *threads < 1 || *threads > 4 || *times < 1 || *samples < 1 {
			return nil, workload.Mistake("-threads must be 1 to 4, -times and -samples 1 or more")
		}
		o := probe.StartOthers(4)
		defer o.Stop()
		calls = callbacks{self: self, others: o, samples: *samples, threads: *threads}
		errs := make(chan error)
		for i := 0; i < 2**threads; i++ {
			go func(i int) { errs <- callGo(i, *times, i < *threads, *direct) }(i)
		}
		var first error
		for i := 0; i < 2**threads; i++ {
			if err := <-errs; err != nil && first == nil {
				first = err
			}
		}
		return &trial.Callbacks{Calls: calls.list}, first
	}
}

// callGo makes the calls of a thread that C makes, or of a goroutine.
func callGo(number, times int, create, direct bool) error {
	if direct {
		for turn := 0; turn < times; turn++ {
			calledBack(C.int(number), C.int(turn), C.int(syscall.Gettid()))
		}
		return nil
	}
	onThread := C.int(0)
	if create {
		onThread = 1
	}
	if err := C.call_go(C.int(number), C.int(times), onThread); err != 0 {
		return fmt.Errorf("start a thread: %v", syscall.Errno(err))
	}
	return nil
}

// callbacks holds the input and the records of the calls. It is a variable because C passes no
// pointer to it.
type callbacks struct {
	self    trial.Self
	others  *probe.Others
	samples int
	threads int

	mu   sync.Mutex // guards what follows
	list []trial.Callback
}

var calls callbacks

//export calledBack
func calledBack(number, turn, tid C.int) {
	c := trial.Callback{
		Caller: int(number), CThread: int(number) < calls.threads, Turn: int(turn), TID: int(tid),
		What: []string{"nothing", "unlock", "lock and unlock"}[int(turn)%3],
	}
	switch int(turn) % 3 {
	case 1: // the program holds no lock
		runtime.UnlockOSThread()
	case 2:
		runtime.LockOSThread()
		runtime.UnlockOSThread()
	}
	if claim := trial.Hold(0); c.CThread && turn == 0 {
		claim.Internal = true
		calls.self.Claim(claim)
	}
	c.Stretch = calls.others.Stretch(int(number), 0, calls.samples)
	calls.mu.Lock()
	calls.list = append(calls.list, c)
	calls.mu.Unlock()
}
