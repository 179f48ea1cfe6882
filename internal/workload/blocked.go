package workload

import (
	"flag"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
)

// blocked has locked threads wait in read(2), each until a byte comes for it: long enough for sysmon to retake the P.
func blocked(flags *flag.FlagSet) func(*stage) error {
	n := flags.Int("n", 8, "locked threads, 1 or more")
	pace := flags.Duration("pace", 50*time.Millisecond, "how long each waits in one read, more than 0")
	return func(s *stage) error {
		if *n < 1 || *pace <= 0 {
			return Mistake("-n must be 1 or more and -pace more than 0")
		}
		writers := make([]int, *n)
		for i := range writers {
			var fds [2]int
			if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
				return fmt.Errorf("make a pipe: %v", err)
			}
			writers[i] = fds[1]
			s.reader(fds[0])
		}
		s.run(func() {
			for s.pause(*pace) {
				for _, fd := range writers {
					write(fd)
				}
			}
			for _, fd := range writers {
				syscall.Close(fd) // ends the reads
			}
		})
		return nil
	}
}

// reader sets up a locked goroutine that reads bytes from fd until it ends, and closes it. A byte is one operation. The pipe
// is in blocking mode and not the runtime's: the thread itself waits, not the poller.
func (s *stage) reader(fd int) {
	s.pin("read", 1, func(p *Pin) {
		defer syscall.Close(fd)
		var b [1]byte
		for {
			switch n, err := syscall.Read(fd, b[:]); {
			case err == syscall.EINTR: // a signal without SA_RESTART
			case n != 1:
				return
			default:
				p.Ops++
				atomic.AddUint64(&s.ops, 1)
			}
		}
	})
}

// write sends a byte down a pipe that somebody reads, which fails for no other reason than a signal.
func write(fd int) {
	for {
		if _, err := syscall.Write(fd, []byte{0}); err != syscall.EINTR {
			return
		}
	}
}
