package program

import (
	"flag"
	"runtime"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// perrequest serves requests. Each has a goroutine of its own that is locked while it works.
func perrequest(flags *flag.FlagSet) func(*Workload) error {
	rate := flags.Float64("rate", 200,
		"requests a second, above 0 and at most 10000; what the machine can't do is left out")
	sleep := flags.Duration("work", time.Millisecond, "how long a request sleeps while locked")
	pool := flags.Int("pool", 0, "long-lived locked workers that serve the requests instead; 0 = none")
	return func(w *Workload) error {
		if !(*rate > 0 && *rate <= 10000) || *sleep < 0 || *pool < 0 {
			return workload.Mistake("-rate must be above 0 and at most 10000, -work and -pool must not be negative")
		}
		interval := time.Duration(float64(time.Second) / *rate)
		if *pool > 0 {
			w.pool(*pool, interval, *sleep)
		} else {
			w.requests(interval, *sleep)
		}
		return nil
	}
}

// requests sets up a goroutine that starts one to handle a request every interval. A request is one
// operation.
func (w *Workload) requests(interval, sleep time.Duration) {
	w.Run(func() {
		w.beat(interval, func() {
			w.active.Add(1)
			go func() {
				w.handle(sleep)
				w.Op(1)
				w.active.Done()
			}()
		})
	})
}

// handle serves a request on a thread of its own.
//
//go:noinline
func (w *Workload) handle(sleep time.Duration) {
	w.noteSite()
	runtime.LockOSThread() //pinwatch:ignore the workload exists to show this pair, and serveRequest does not panic
	serveRequest(sleep)
	runtime.UnlockOSThread()
}

func serveRequest(sleep time.Duration) {
	work.Spin(10000)
	time.Sleep(sleep)
}

// pool sets up n locked workers and a goroutine that gives them a request every interval.
func (w *Workload) pool(n int, interval, sleep time.Duration) {
	requests := make(chan struct{})
	for i := 0; i < n; i++ {
		w.Pin("serve", 1, func(p *Pin) {
			for range requests {
				serveRequest(sleep)
				p.Ops++
				w.Op(1)
			}
		})
	}
	w.Run(func() {
		w.beat(interval, func() { requests <- struct{}{} })
		close(requests)
	})
}
