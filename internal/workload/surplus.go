package workload

import (
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// surplus has a burst of goroutines in blocking system calls, each of which takes a thread, and then nothing more to do.
// The runtime keeps the threads.
func surplus(flags *flag.FlagSet) func(*stage) error {
	n := flags.Int("n", 60, "goroutines in the burst, 0 or more")
	return func(s *stage) error {
		if *n < 0 {
			return Mistake("-n must not be negative")
		}
		var fds [2]int // one pipe for all: its end wakes everybody
		if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
			return fmt.Errorf("make a pipe: %v", err)
		}
		s.run(func() {
			if !s.over() {
				s.crowd(*n, fds[0], fds[1])
			}
			<-s.done
		})
		return nil
	}
}

// crowd has n goroutines read from a pipe at one time and ends them by closing its other end. The end of a read is one
// operation.
func (s *stage) crowd(n, from, to int) {
	var ended sync.WaitGroup
	ended.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			defer ended.Done()
			var b [1]byte
			for {
				if _, err := syscall.Read(from, b[:]); err != syscall.EINTR { // else a signal without SA_RESTART
					break
				}
			}
			atomic.AddUint64(&s.ops, 1)
		}()
	}
	// Who waits in a read has a thread, and the one that counts is another.
	for s.pause(time.Millisecond) {
		if tids, err := taskIDs(); err == nil && len(tids) > n {
			break
		}
	}
	syscall.Close(to)
	ended.Wait()
}
