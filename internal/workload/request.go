package workload

import (
	"flag"
	"runtime"
	"sync/atomic"
	"time"
)

// perrequest serves requests, each in a goroutine of its own that locks itself for as long as it works.
func perrequest(flags *flag.FlagSet) func(*stage) error {
	rate := flags.Float64("rate", 200, "requests a second, above 0 and at most 10000; what the machine can't do is left out")
	work := flags.Duration("work", time.Millisecond, "how long a request sleeps while locked")
	pool := flags.Int("pool", 0, "long-lived locked workers that serve the requests instead; 0 = none")
	return func(s *stage) error {
		if !(*rate > 0 && *rate <= 10000) || *work < 0 || *pool < 0 {
			return Mistake("-rate must be above 0 and at most 10000, -work and -pool must not be negative")
		}
		interval := time.Duration(float64(time.Second) / *rate)
		if *pool > 0 {
			s.pool(*pool, interval, *work)
		} else {
			s.requests(interval, *work)
		}
		return nil
	}
}

// requests sets up a goroutine that starts one to handle a request every interval. A request is one operation.
func (s *stage) requests(interval, work time.Duration) {
	s.run(func() {
		s.beat(interval, func() {
			s.active.Add(1)
			go func() {
				s.handle(work)
				atomic.AddUint64(&s.ops, 1)
				s.active.Done()
			}()
		})
	})
}

// handle serves a request on a thread of its own.
//
//go:noinline
func (s *stage) handle(work time.Duration) {
	s.locking()
	runtime.LockOSThread() //pinwatch:ignore the pair is what is to be observed, and serveRequest does not panic
	serveRequest(work)
	runtime.UnlockOSThread()
}

func serveRequest(work time.Duration) {
	spin(10000)
	time.Sleep(work)
}

// pool sets up n locked workers and a goroutine that gives them a request every interval.
func (s *stage) pool(n int, interval, work time.Duration) {
	requests := make(chan struct{})
	for i := 0; i < n; i++ {
		s.pin("serve", 1, func(p *Pin) {
			for range requests {
				serveRequest(work)
				p.Ops++
				atomic.AddUint64(&s.ops, 1)
			}
		})
	}
	s.run(func() {
		s.beat(interval, func() { requests <- struct{}{} })
		close(requests)
	})
}
