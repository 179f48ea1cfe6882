package program

import (
	"flag"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// surplus has a burst of goroutines in blocking system calls, each of which takes a thread, and
// then nothing more to do. The runtime keeps the threads.
func surplus(flags *flag.FlagSet) func(*Workload) error {
	n := flags.Int("n", 60, "goroutines in the burst, 0 or more")
	return func(w *Workload) error {
		if *n < 0 {
			return workload.Mistake("-n must not be negative")
		}
		var fds [2]int // one pipe for all: its end wakes all readers
		if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
			return fmt.Errorf("make a pipe: %v", err)
		}
		w.Run(func() {
			if !w.isOver() {
				w.crowd(*n, fds[0], fds[1])
			}
			<-w.done
		})
		return nil
	}
}

// crowd has n goroutines read from a pipe at one time and ends them by closing its other end. The
// end of a read is one operation.
func (w *Workload) crowd(n, from, to int) {
	var ended sync.WaitGroup
	ended.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			defer ended.Done()
			work.ReadByte(from)
			w.Op(1)
		}()
	}
	// Each goroutine in a read has a thread, and the goroutine that counts has another.
	for w.Pause(time.Millisecond) {
		if tids, err := probe.TaskIDs(); err == nil && len(tids) > n {
			break
		}
	}
	syscall.Close(to)
	ended.Wait()
}
