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
)

// callbacksTrial has threads of C's call Go, and goroutines call C that calls Go.
func callbacksTrial(flags *flag.FlagSet) func(workload.Self) (workload.Result, error) {
	threads := flags.Int("threads", 3, "threads of C's, and as many goroutines; 1 to 4")
	times := flags.Int("times", 3, "calls of each, 1 or more")
	samples := flags.Int("samples", 300, "looks in a call, 1 or more")
	direct := flags.Bool("direct", false, "goroutines call the Go function without C")
	return func(workload.Self) (workload.Result, error) {
		if *threads < 1 || *threads > 4 || *times < 1 || *samples < 1 {
			return nil, workload.Mistake("-threads must be 1 to 4, -times and -samples 1 or more")
		}
		b := workload.NewBystanders(4)
		defer b.Leave()
		calls = callbacks{b: b, samples: *samples, threads: *threads}
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
		return &workload.Callbacks{Calls: calls.list}, first
	}
}

// callGo makes the calls of a thread of C's, or of a goroutine.
func callGo(number, times int, create, direct bool) error {
	if direct {
		for turn := 0; turn < times; turn++ {
			calledBack(C.int(number), C.int(turn), C.int(syscall.Gettid()))
		}
		return nil
	}
	own := C.int(0)
	if create {
		own = 1
	}
	if err := C.call_go(C.int(number), C.int(times), own); err != 0 {
		return fmt.Errorf("start a thread: %v", syscall.Errno(err))
	}
	return nil
}

// callbacks is what the calls need and leave; C can't be told where it is.
type callbacks struct {
	b       workload.Bystanders
	samples int
	threads int

	mu   sync.Mutex // guards what follows
	list []workload.Callback
}

var calls callbacks

//export calledBack
func calledBack(number, turn, tid C.int) {
	c := workload.Callback{
		Caller: int(number), OwnThread: int(number) < calls.threads, Turn: int(turn), TID: int(tid),
		What: []string{"nothing", "unlock", "lock and unlock"}[int(turn)%3],
	}
	switch int(turn) % 3 {
	case 1: // without a lock of ours to undo
		runtime.UnlockOSThread()
	case 2:
		runtime.LockOSThread()
		runtime.UnlockOSThread()
	}
	c.Stretch = calls.b.Stretch(int(number), 0, calls.samples)
	calls.mu.Lock()
	calls.list = append(calls.list, c)
	calls.mu.Unlock()
}
