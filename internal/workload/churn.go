package workload

import (
	"flag"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// churn makes threads end at a steady rate; the runtime creates new ones for the goroutines to come.
func churn(flags *flag.FlagSet) func(*stage) error {
	rate := flags.Float64("rate", 150, "threads to end a second, above 0 and at most 10000; what the machine can't do is left out")
	return func(s *stage) error {
		if !(*rate > 0 && *rate <= 10000) {
			return Mistake("-rate must be above 0 and at most 10000")
		}
		s.churn(time.Duration(float64(time.Second) / *rate))
		return nil
	}
}

// churn sets up a goroutine that ends one thread an interval. A dead thread is one operation.
func (s *stage) churn(interval time.Duration) {
	s.run(func() {
		s.beat(interval, func() {
			s.endThread(nil)
			atomic.AddUint64(&s.ops, 1)
		})
	})
}

// beat calls f once an interval until the activity is to end. The beats it misses are not made up for, lest a stall turn
// into a burst.
func (s *stage) beat(interval time.Duration, f func()) {
	next := time.Now()
	for s.pause(time.Until(next)) {
		f()
		if next = next.Add(interval); time.Until(next) < 0 {
			next = time.Now()
		}
	}
}

// burst has many threads at once, all at work, which then all end.
func burst(flags *flag.FlagSet) func(*stage) error {
	n := flags.Int("n", 32, "threads in a burst, 1 or more")
	every := flags.Duration("every", 100*time.Millisecond, "pause between two bursts")
	return func(s *stage) error {
		if *n < 1 || *every < 0 {
			return Mistake("-n must be 1 or more and -every must not be negative")
		}
		debug.SetMaxThreads(*n + 10000) // 10000 is where a program is ended for having more
		s.run(func() {
			for ok := true; ok; ok = s.pause(*every) {
				if s.over() {
					return
				}
				s.burst(*n)
			}
		})
		return nil
	}
}

// burst ends n threads that all lived at one moment; each is one operation.
func (s *stage) burst(n int) {
	var here, gone sync.WaitGroup
	here.Add(n)
	gone.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			s.endThread(func() {
				here.Done()
				here.Wait()
			})
			atomic.AddUint64(&s.ops, 1)
			gone.Done()
		}()
	}
	gone.Wait()
}
