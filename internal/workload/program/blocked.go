package program

import (
	"flag"
	"fmt"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// blocked has locked threads wait in read(2), each until a byte comes for it: long enough for
// sysmon to retake the P.
func blocked(flags *flag.FlagSet) func(*Workload) error {
	n := flags.Int("n", 8, "locked threads, 1 or more")
	pace := flags.Duration("pace", 50*time.Millisecond, "how long each waits in one read, more than 0")
	return func(w *Workload) error {
		if *n < 1 || *pace <= 0 {
			return workload.Mistake("-n must be 1 or more and -pace more than 0")
		}
		writers := make([]int, *n)
		for i := range writers {
			var fds [2]int
			if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
				return fmt.Errorf("make a pipe: %v", err)
			}
			writers[i] = fds[1]
			w.reader(fds[0])
		}
		w.Run(func() {
			for w.Pause(*pace) {
				for _, fd := range writers {
					work.WriteByte(fd)
				}
			}
			for _, fd := range writers {
				syscall.Close(fd) // ends the reads
			}
		})
		return nil
	}
}

// reader sets up a locked goroutine that reads bytes from fd until it ends, and closes it. A byte
// is one operation. The pipe is in blocking mode and not the runtime's: the thread itself waits,
// not the poller.
func (w *Workload) reader(fd int) {
	w.Pin("read", 1, func(p *Pin) {
		defer syscall.Close(fd)
		var b [1]byte
		for {
			switch n, err := syscall.Read(fd, b[:]); {
			case err == syscall.EINTR: // a signal without SA_RESTART
			case n != 1:
				return
			default:
				p.Ops++
				w.Op(1)
			}
		}
	})
}
