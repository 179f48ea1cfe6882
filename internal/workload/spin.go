package workload

import (
	"flag"
	"runtime"
	"sync/atomic"
	"time"
)

// spinners burns whole CPUs in loops without a call, which only SIGURG preempts (Go 1.14 and later), and asks for
// garbage collections that want to stop them.
func spinners(flags *flag.FlagSet) func(*stage) error {
	n := flags.Int("n", 2, "locked spinners, 1 or more")
	gc := flags.Duration("gc", 20*time.Millisecond, "pause between two garbage collections, more than 0")
	return func(s *stage) error {
		if *n < 1 || *gc <= 0 {
			return Mistake("-n must be 1 or more and -gc more than 0")
		}
		for i := 0; i < *n; i++ {
			s.spinner(time.Hour, 0, nil)
		}
		s.run(func() {
			for s.pause(*gc) {
				s.collect()
			}
		})
		return nil
	}
}

// spinner sets up a locked goroutine that spins for busy, pauses for rest and starts again; a spin is one operation.
// Before each spin it knocks, unless knock is nil or full.
func (s *stage) spinner(busy, rest time.Duration, knock chan<- struct{}) *Pin {
	return s.pin("spin", 1, func(p *Pin) {
		for s.pause(rest) {
			select {
			case knock <- struct{}{}:
			default:
			}
			for end := time.Now().Add(busy); !s.over() && time.Now().Before(end); {
				spin(200000)
			}
			p.Ops++
			atomic.AddUint64(&s.ops, 1)
		}
	})
}

// spin runs n rounds of arithmetic, of about a nanosecond each, in a loop that has no point of voluntary preemption.
//
//go:noinline
func spin(n int) {
	x := uint64(n)
	for i := 0; i < n; i++ {
		x = x*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator: a chain the compiler can't shorten
	}
	runtime.KeepAlive(x)
}
