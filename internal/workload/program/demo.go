package program

import (
	"flag"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
)

// demo does a bit of everything that pinned threads pay for, at a pace that leaves a two-core
// machine half idle: a spin of 20 ms in every 50, in each of which a collection sends SIGURG,
// hand-offs of two pairs, and threads that end.
func demo(flags *flag.FlagSet) func(*Workload) error {
	rate := flags.Float64("rate", 150, "threads to end a second, above 0 and at most 10000")
	return func(w *Workload) error {
		if !(*rate > 0 && *rate <= 10000) {
			return workload.Mistake("-rate must be above 0 and at most 10000")
		}
		w.pair(5, 2*time.Millisecond)
		w.pair(5, 3*time.Millisecond)
		w.churn(time.Duration(float64(time.Second) / *rate))

		spinning := make(chan struct{}, 1)
		w.spinner(20*time.Millisecond, 30*time.Millisecond, spinning)
		w.Run(func() {
			for {
				select {
				case <-w.done:
					return
				case <-spinning: // collect now: the collector has to stop the loop by a signal
					w.collect()
				}
			}
		})
		for i := 0; i < 3; i++ {
			w.allocator(32<<10, time.Millisecond)
		}
		return nil
	}
}

// allocator sets up an unlocked goroutine that allocates size bytes at a pace and keeps the last
// few. An allocation is one operation.
func (w *Workload) allocator(size int, pace time.Duration) {
	w.Run(func() {
		var kept [16][]byte
		for i := 0; w.Pause(pace); i++ {
			kept[i%len(kept)] = make([]byte, size)
			w.Op(1)
		}
	})
}
