package program

import (
	"flag"
	"runtime/debug"
	"sync"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
)

// burst has many threads at once, all at work, which then all end.
func burst(flags *flag.FlagSet) func(*Workload) error {
	n := flags.Int("n", 32, "threads in a burst, 1 or more")
	every := flags.Duration("every", 100*time.Millisecond, "pause between two bursts")
	return func(w *Workload) error {
		if *n < 1 || *every < 0 {
			return workload.Mistake("-n must be 1 or more and -every must not be negative")
		}
		debug.SetMaxThreads(*n + defaultMaxThreads)
		w.Run(func() {
			for ok := true; ok; ok = w.Pause(*every) {
				if w.isOver() {
					return
				}
				w.burst(*n)
			}
		})
		return nil
	}
}

// burst ends n threads that all lived at one moment; each is one operation.
func (w *Workload) burst(n int) {
	var here, gone sync.WaitGroup
	here.Add(n)
	gone.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			w.endThread(func() {
				here.Done()
				here.Wait()
			})
			w.Op(1)
			gone.Done()
		}()
	}
	gone.Wait()
}
