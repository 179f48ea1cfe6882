package verify

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pretendedCPUs is the number of CPUs that pretendCPUs makes a program believe in.
const pretendedCPUs = 8

// pretendCPUs follows a program from its first instruction to the first time that it asks which CPUs
// it may use (sched_getaffinity, as the runtime does in osinit), answers that with pretendedCPUs,
// and lets it go. The program was started with SysProcAttr.Ptrace by the calling thread.
func pretendCPUs(pid int) error {
	// The first stop is at exec, as after a signal. WALL waits for the thread whatever its exit signal is.
	if err := awaitStop(pid); err != nil {
		return err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_EXITKILL); err != nil {
		return fmt.Errorf("trace the program: %w", err)
	}
	var buffer uintptr // of the call that is under way; 0 = another call is
	for {
		if err := unix.PtraceSyscall(pid, 0); err != nil {
			return fmt.Errorf("trace the program: %w", err)
		}
		if err := awaitStop(pid); err != nil {
			return err
		}
		call, err := syscallInfo(pid)
		if err != nil {
			return err
		}
		switch {
		case call.op == ptraceSyscallEntry && call.number() == unix.SYS_SCHED_GETAFFINITY:
			buffer = uintptr(call.argument(2))
		case call.op == ptraceSyscallExit && buffer != 0:
			n := call.result()
			if n < 8 { // an error, or not what sched_getaffinity(2) returns
				return fmt.Errorf("sched_getaffinity returned %d", n)
			}
			mask := make([]byte, n)
			mask[0] = 1<<pretendedCPUs - 1
			if _, err := unix.PtracePokeData(pid, buffer, mask); err != nil {
				return fmt.Errorf("change the answer of sched_getaffinity: %w", err)
			}
			if err := unix.PtraceDetach(pid); err != nil {
				return fmt.Errorf("let the program go: %w", err)
			}
			return nil
		}
	}
}

func awaitStop(pid int) error {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for the program: %w", err)
		case !status.Stopped():
			return errors.New("the program ended before it asked for its CPUs")
		default:
			return nil
		}
	}
}

// tracedCall is struct ptrace_syscall_info (include/uapi/linux/ptrace.h), which is the same on every
// architecture.
type tracedCall struct {
	op    uint8
	_     [3]uint8
	_     uint32 // arch
	_, _  uint64 // instruction and stack pointer
	words [8]uint64
}

const (
	ptraceGetSyscallInfo = 0x420e
	ptraceSyscallEntry   = 1
	ptraceSyscallExit    = 2
)

func (c *tracedCall) number() uint64        { return c.words[0] }   // at its entry
func (c *tracedCall) argument(i int) uint64 { return c.words[1+i] } // at its entry
func (c *tracedCall) result() int64         { return int64(c.words[0]) }

func syscallInfo(pid int) (c tracedCall, err error) {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(pid), unsafe.Sizeof(c),
		uintptr(unsafe.Pointer(&c)), 0, 0); errno != 0 {
		return c, fmt.Errorf("read the program's system call: %w", errno) // before Linux 5.3
	}
	return c, nil
}
