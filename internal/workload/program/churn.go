package program

import (
	"flag"
	"runtime"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// churn makes threads end at a steady rate. The runtime creates new ones for the goroutines to
// come.
func churn(flags *flag.FlagSet) func(*Workload) error {
	rate := flags.Float64("rate", 150,
		"threads to end a second, above 0 and at most 10000; what the machine can't do is left out")
	return func(w *Workload) error {
		if !(*rate > 0 && *rate <= 10000) {
			return workload.Mistake("-rate must be above 0 and at most 10000")
		}
		w.churn(time.Duration(float64(time.Second) / *rate))
		return nil
	}
}

// churn sets up a goroutine that ends one thread an interval. An ended thread is one operation.
func (w *Workload) churn(interval time.Duration) {
	w.Run(func() {
		w.beat(interval, func() {
			w.endThread(nil)
			w.Op(1)
		})
	})
}

// beat calls f once an interval until the activity is over. It does not make up for missed beats: a
// stall must not become a burst.
func (w *Workload) beat(interval time.Duration, f func()) {
	next := time.Now()
	for w.Pause(time.Until(next)) {
		f()
		if next = next.Add(interval); time.Until(next) < 0 {
			next = time.Now()
		}
	}
}

// endThread ends one thread other than the main one: a goroutine locks itself to it and exits.
// endThread returns when the thread has left the process. atEnd, unless nil, runs on the thread
// just before.
func (w *Workload) endThread(atEnd func()) {
	ids := make(chan int)
	go w.exitLocked(ids, atEnd)
	id := <-ids
	for id > 0 && probe.TaskAlive(id) {
		time.Sleep(50 * time.Microsecond)
	}
	w.noteExit(id)
}

// exitLocked exits while locked and sends the id of the thread that ends with it. The main thread
// would not end but be parked for ever (runtime.mexit). If exitLocked runs on the main thread, it
// holds that thread while another goroutine, which then cannot run there, takes its place.
func (w *Workload) exitLocked(ids chan<- int, atEnd func()) {
	locked := w.lock.Next()
	if locked {
		w.noteSite()
		runtime.LockOSThread()
	}
	id := syscall.Gettid()
	if locked && id == syscall.Getpid() {
		defer runtime.UnlockOSThread()
		inner := make(chan int)
		go w.exitLocked(inner, atEnd)
		ids <- <-inner
		return
	}
	if atEnd != nil {
		atEnd()
	}
	if !locked {
		id = -id // the thread will not end
	}
	ids <- id
}
