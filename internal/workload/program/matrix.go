package program

import (
	"flag"
	"time"
)

// matrix has all states of a thread's lock, to be compared with the account thread by thread.
func matrix(*flag.FlagSet) func(*Workload) error {
	return func(w *Workload) error {
		for d := 1; d <= maxDepth; d++ {
			calls := w.waiter("wait", d)
			if d%2 == 0 { // the others sleep throughout: an observer sees no event of theirs
				w.serve(calls, 10*time.Millisecond)
			}
		}
		w.pair(5, 5*time.Millisecond)
		w.spinner(2*time.Millisecond, 20*time.Millisecond, nil)
		w.churn(20 * time.Millisecond)
		w.Run(func() {
			for w.Pause(100 * time.Millisecond) {
				w.collect()
			}
		})
		w.allocator(4<<10, time.Millisecond)
		return nil
	}
}
