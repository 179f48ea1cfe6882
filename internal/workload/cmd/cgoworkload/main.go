// Command cgoworkload is the command workload linked with C, which changes how the runtime makes threads, and with more of them:
// cgo, whose threads are partly C's own, and the trials of calls between Go and C.
package main

// #cgo LDFLAGS: -lpthread
// #include "threads.h"
import "C"

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
)

func main() {
	os.Exit(workload.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, workload.Program{
		Info:  workload.Info{Name: "cgo", About: "threads made by C, some of which call Go, and locked goroutines that call C"},
		Build: build,
	}, workload.Program{
		Info:  workload.Info{Name: "cgocalls", About: "trial: what calls of C cost, by locked goroutines and others"},
		Trial: callsTrial,
	}, workload.Program{
		Info:  workload.Info{Name: "cgoretake", About: "trial: how long a goroutine in a call of C keeps its P"},
		Trial: blockingTrial,
	}, workload.Program{
		Info:  workload.Info{Name: "cgogrow", About: "trial: locked goroutines that block in C, and the threads that come for them"},
		Trial: growTrial,
	}, workload.Program{
		Info:  workload.Info{Name: "callbacks", About: "trial: Go called by threads of C's, and by C that Go called"},
		Trial: callbacksTrial,
	}))
}

// calledTimes counts the calls from C.
var calledTimes uint64

//export called
func called() { atomic.AddUint64(&calledTimes, 1) }

func build(flags *flag.FlagSet) func(workload.Stage) error {
	foreign := flags.Int("foreign", 2, "threads that never call Go, 0 or more")
	extra := flags.Int("extra", 2, "threads that call Go every millisecond, 0 or more")
	pins := flags.Int("pins", 2, "locked goroutines that call C, 0 or more")
	return func(s workload.Stage) error {
		if *foreign < 0 || *extra < 0 || *pins < 0 {
			return workload.Mistake("-foreign, -extra and -pins must not be negative")
		}
		if err := start(*foreign, 0, s.Foreign); err != nil {
			return err
		}
		if err := start(*extra, 1, s.Extra); err != nil {
			return err
		}
		for i := 0; i < *pins; i++ {
			s.Pin("c", 1, func(p *workload.Pin) {
				for s.Pause(time.Millisecond) {
					C.doze(2000)
					p.Ops++
					s.Op(1)
				}
			})
		}
		s.Run(func() {
			C.work(1)
			for s.Pause(time.Hour) {
			}
			C.work(0)
			s.Op(atomic.LoadUint64(&calledTimes))
		})
		return nil
	}
}

// start makes n threads of C's.
func start(n int, calls C.int, note func(tid int)) error {
	for i := 0; i < n; i++ {
		tid := C.start_thread(calls)
		if tid < 0 {
			return fmt.Errorf("start a thread: %v", syscall.Errno(-tid))
		}
		note(int(tid))
	}
	return nil
}
