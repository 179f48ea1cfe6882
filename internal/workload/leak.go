package workload

import (
	"flag"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// leak has locked goroutines wait on channels that nobody sends to.
func leak(flags *flag.FlagSet) func(*stage) error {
	n := flags.Int("n", 3, "locked goroutines, 1 or more")
	served := flags.Bool("served", false, "wake each of them every 50 ms, as a worker that is in use")
	return func(s *stage) error {
		if *n < 1 {
			return Mistake("-n must be 1 or more")
		}
		for i := 0; i < *n; i++ {
			calls := s.waiter("wait", 1)
			if *served {
				s.serve(calls, 50*time.Millisecond)
			}
		}
		return nil
	}
}

// waiter sets up a locked goroutine that waits for calls. A call is one operation.
func (s *stage) waiter(role string, depth int) chan<- struct{} {
	calls := make(chan struct{})
	s.pin(role, depth, func(p *Pin) {
		for {
			select {
			case <-s.done:
				return
			case <-calls:
				p.Ops++
				atomic.AddUint64(&s.ops, 1)
			}
		}
	})
	return calls
}

// serve sets up a goroutine, not locked, that calls a waiter at a pace.
func (s *stage) serve(calls chan<- struct{}, pace time.Duration) {
	s.run(func() {
		for s.pause(pace) {
			select {
			case <-s.done:
			case calls <- struct{}{}:
			}
		}
	})
}

// idle does nothing: what an observer sees is the runtime's own.
func idle(flags *flag.FlagSet) func(*stage) error {
	notify := flags.Bool("notify", false, "listen for SIGWINCH, for which the runtime locks a goroutine (runtime.ensureSigM)")
	return func(*stage) error {
		if *notify {
			signal.Notify(make(chan os.Signal, 1), syscall.SIGWINCH)
		}
		return nil
	}
}
