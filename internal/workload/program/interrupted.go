package program

import (
	"flag"
	"syscall"
	"time"
	"unsafe"
)

// interrupted has a locked goroutine sleep by raw system calls, which the runtime takes for Go code
// that runs for long. An operation is a sleep that a signal ended.
func interrupted(*flag.FlagSet) func(*Workload) error {
	return func(w *Workload) error {
		w.Pin("sleep", 1, func(p *Pin) {
			for w.Pause(time.Millisecond) {
				t := syscall.NsecToTimespec(int64(50 * time.Millisecond))
				_, _, errno := syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
				if errno == syscall.EINTR {
					p.Ops++
					w.Op(1)
				}
			}
		})
		return nil
	}
}
