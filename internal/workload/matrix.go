package workload

import (
	"flag"
	"time"
)

// matrix has all that the lock state of a thread can be, to be held against the account thread by thread.
func matrix(*flag.FlagSet) func(*stage) error {
	return func(s *stage) error {
		for d := 1; d <= maxDepth; d++ {
			calls := s.waiter("wait", d)
			if d%2 == 0 { // the others sleep throughout: an observer sees no event of theirs
				s.serve(calls, 10*time.Millisecond)
			}
		}
		s.pair(5, 5*time.Millisecond)
		s.spinner(2*time.Millisecond, 20*time.Millisecond, nil)
		s.churn(20 * time.Millisecond)
		s.run(func() {
			for s.pause(100 * time.Millisecond) {
				s.collect()
			}
		})
		s.allocator(4<<10, time.Millisecond)
		return nil
	}
}
