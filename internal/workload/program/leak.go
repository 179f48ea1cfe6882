package program

import (
	"flag"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
)

// leak has locked goroutines wait on channels without a sender.
func leak(flags *flag.FlagSet) func(*Workload) error {
	n := flags.Int("n", 3, "locked goroutines, 1 or more")
	served := flags.Bool("served", false, "wake each of them every 50 ms, as a worker that is in use")
	return func(w *Workload) error {
		if *n < 1 {
			return workload.Mistake("-n must be 1 or more")
		}
		for i := 0; i < *n; i++ {
			calls := w.waiter("wait", 1)
			if *served {
				w.serve(calls, 50*time.Millisecond)
			}
		}
		return nil
	}
}

// waiter sets up a locked goroutine that waits for calls. A call is one operation.
func (w *Workload) waiter(role string, depth int) chan<- struct{} {
	calls := make(chan struct{})
	w.Pin(role, depth, func(p *Pin) {
		for {
			select {
			case <-w.done:
				return
			case <-calls:
				p.Ops++
				w.Op(1)
			}
		}
	})
	return calls
}

// serve sets up an unlocked goroutine that calls a waiter at a pace.
func (w *Workload) serve(calls chan<- struct{}, pace time.Duration) {
	w.Run(func() {
		for w.Pause(pace) {
			select {
			case <-w.done:
			case calls <- struct{}{}:
			}
		}
	})
}

// idle does nothing. All that an observer sees is the runtime's.
func idle(flags *flag.FlagSet) func(*Workload) error {
	notify := flags.Bool("notify", false,
		"listen for SIGWINCH, for which the runtime locks a goroutine (runtime.ensureSigM)")
	return func(*Workload) error {
		if *notify {
			signal.Notify(make(chan os.Signal, 1), syscall.SIGWINCH)
		}
		return nil
	}
}
