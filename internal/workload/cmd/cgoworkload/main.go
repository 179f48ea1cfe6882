// Command cgoworkload is the command workload linked with C, which changes how the runtime makes
// threads. It has more workloads: cgo, some of whose threads C makes, and the trials of calls
// between Go and C.
package main

// #cgo LDFLAGS: -lpthread
// #include "threads.h"
// #include "trials.h"
import "C"

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/catalog"
	"github.com/pinwatch/pinwatch/internal/workload/program"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func main() {
	all := catalog.All()
	all.Programs = append(all.Programs, program.Program{
		Info:  info("cgo", "threads made by C, some of which call Go, and locked goroutines that call C"),
		Build: build,
	}, program.Program{
		Info: info("cgoheld", "as held, and goroutines that keep threads in C"),
		Build: func(*flag.FlagSet) func(*program.Workload) error {
			return func(w *program.Workload) error { return w.HoldThreads(readInC) }
		},
	})
	all.Trials = append(all.Trials, trial.Trial{
		Info:  info("cgocalls", "trial: what calls of C cost, by locked goroutines and others"),
		Build: callsTrial,
	}, trial.Trial{
		Info:  info("cgoretake", "trial: how long a goroutine in a call of C keeps its P"),
		Build: blockingTrial,
	}, trial.Trial{
		Info:  info("cgogrow", "trial: locked goroutines that block in C, and the threads that are made for them"),
		Build: growTrial,
	}, trial.Trial{
		Info:  info("callbacks", "trial: Go called by threads that C made, and by C that Go called"),
		Build: callbacksTrial,
	})
	os.Exit(all.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func readInC(fd int, note func()) {
	note()
	C.take_byte(C.int(fd))
}

func info(name, about string) workload.Info { return workload.Info{Name: name, About: about} }

// calledTimes counts the calls from C.
var calledTimes uint64

//export called
func called() { atomic.AddUint64(&calledTimes, 1) }

func build(flags *flag.FlagSet) func(*program.Workload) error {
	foreign := flags.Int("foreign", 2, "threads that never call Go, 0 or more")
	extra := flags.Int("extra", 2, "threads that call Go every millisecond, 0 or more")
	pins := flags.Int("pins", 2, "locked goroutines that call C, 0 or more")
	return func(w *program.Workload) error {
		if *foreign < 0 || *extra < 0 || *pins < 0 {
			return workload.Mistake("-foreign, -extra and -pins must not be negative")
		}
		if err := start(*foreign, 0, w.Foreign); err != nil {
			return err
		}
		if err := start(*extra, 1, w.Extra); err != nil {
			return err
		}
		for i := 0; i < *pins; i++ {
			w.Pin("c", 1, func(p *program.Pin) {
				for w.Pause(time.Millisecond) {
					C.doze(2000)
					p.Ops++
					w.Op(1)
				}
			})
		}
		w.Run(func() {
			C.work(1)
			for w.Pause(time.Hour) {
			}
			C.work(0)
			w.Op(atomic.LoadUint64(&calledTimes))
		})
		return nil
	}
}

// start has C make n threads.
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
