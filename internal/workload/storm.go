package workload

import (
	"flag"
	"runtime"
	"sync/atomic"
)

// storm stops the world again and again while tight loops run, which takes a SIGURG each (Go 1.14 and later). The one who
// stops needs a P of its own: with a GOMAXPROCS not above the number of loops it gets one a hundred times a second at most.
func storm(flags *flag.FlagSet) func(*stage) error {
	n := flags.Int("n", 1, "tight loops, not locked, 1 or more")
	every := flags.Duration("every", 0, "pause between two stops")
	gc := flags.Bool("gc", false, "collect garbage instead of reading memory statistics")
	return func(s *stage) error {
		if *n < 1 || *every < 0 {
			return Mistake("-n must be 1 or more and -every must not be negative")
		}
		for i := 0; i < *n; i++ {
			s.busy()
		}
		s.run(func() {
			for s.pause(*every) {
				if *gc {
					s.collect()
				} else {
					s.stopWorld()
				}
				// Who has not gone on needs no signal. A timer would take a millisecond (epoll_wait counts in these), far too long.
				for seen := atomic.LoadUint64(&s.ops); atomic.LoadUint64(&s.ops) == seen; runtime.Gosched() {
					if s.over() {
						return
					}
				}
			}
		})
		return nil
	}
}

// busy sets up a goroutine, not locked, that always wants a CPU.
func (s *stage) busy() {
	s.run(func() {
		for !s.over() {
			spin(100000)
			atomic.AddUint64(&s.ops, 1)
		}
	})
}

// stopWorld stops the world once.
func (s *stage) stopWorld() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	atomic.AddUint64(&s.stops, 1)
}
