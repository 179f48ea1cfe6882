package program

import (
	"flag"
	"runtime"
	"sync/atomic"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// storm stops the world again and again while tight loops run, which takes a SIGURG each (Go 1.14
// and later). The goroutine that stops the world needs a P of its own: with a GOMAXPROCS not above
// the number of loops it gets one a hundred times a second at most.
func storm(flags *flag.FlagSet) func(*Workload) error {
	n := flags.Int("n", 1, "tight loops, not locked, 1 or more")
	every := flags.Duration("every", 0, "pause between two stops")
	gc := flags.Bool("gc", false, "collect garbage instead of reading memory statistics")
	return func(w *Workload) error {
		if *n < 1 || *every < 0 {
			return workload.Mistake("-n must be 1 or more and -every must not be negative")
		}
		for i := 0; i < *n; i++ {
			w.busy()
		}
		w.Run(func() {
			for w.Pause(*every) {
				if *gc {
					w.collect()
				} else {
					w.stopWorld()
				}
				// A loop that has not gone on needs no signal. A timer would wait for a
				// millisecond, the unit of epoll_wait, which is far too long.
				for seen := atomic.LoadUint64(&w.ops); atomic.LoadUint64(&w.ops) == seen; runtime.Gosched() {
					if w.isOver() {
						return
					}
				}
			}
		})
		return nil
	}
}

// busy sets up an unlocked goroutine that always wants a CPU.
func (w *Workload) busy() {
	w.Run(func() {
		for !w.isOver() {
			work.Spin(100000)
			w.Op(1)
		}
	})
}

// stopWorld stops the world once.
func (w *Workload) stopWorld() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	atomic.AddUint64(&w.stops, 1)
}
