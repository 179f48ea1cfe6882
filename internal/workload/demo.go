package workload

import (
	"flag"
	"sync/atomic"
	"time"
)

// demo does a bit of everything that pinned threads pay for, at a pace that leaves a two-core machine half idle: a spin
// of 20 ms in every 50, in each of which a collection sends SIGURG, hand-offs of two pairs, and threads that die.
func demo(flags *flag.FlagSet) func(*stage) error {
	rate := flags.Float64("rate", 150, "threads to end a second, above 0 and at most 10000")
	return func(s *stage) error {
		if !(*rate > 0 && *rate <= 10000) {
			return Mistake("-rate must be above 0 and at most 10000")
		}
		s.pair(5, 2*time.Millisecond)
		s.pair(5, 3*time.Millisecond)
		s.churn(time.Duration(float64(time.Second) / *rate))

		spinning := make(chan struct{}, 1)
		s.spinner(20*time.Millisecond, 30*time.Millisecond, spinning)
		s.run(func() {
			for {
				select {
				case <-s.done:
					return
				case <-spinning: // collect now: the collector has to stop a loop that does not listen
					s.collect()
				}
			}
		})
		for i := 0; i < 3; i++ {
			s.allocator(32<<10, time.Millisecond)
		}
		return nil
	}
}

// allocator sets up a goroutine, not locked, that allocates size bytes at a pace and keeps the last few; an allocation
// is one operation.
func (s *stage) allocator(size int, pace time.Duration) {
	s.run(func() {
		var kept [16][]byte
		for i := 0; s.pause(pace); i++ {
			kept[i%len(kept)] = make([]byte, size)
			atomic.AddUint64(&s.ops, 1)
		}
	})
}
