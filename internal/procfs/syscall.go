package procfs

import (
	"strconv"
	"strings"
	"sync"
)

// Syscall is a system call that a thread sleeps in.
type Syscall struct {
	Number int
	SP     uint64 // the stack pointer of the code that made the call
	PC     uint64 // the instruction after the call
}

// Syscall returns the system call that the thread sleeps in. It returns false when the thread
// sleeps in none. The error satisfies errors.Is with fs.ErrPermission where the kernel does not
// permit the reader to know: that takes the right to attach with ptrace.
func (d Dir) Syscall() (Syscall, bool, error) {
	text, err := d.read("syscall")
	if err != nil {
		return Syscall{}, false, err
	}
	call, ok := parseSyscall(text)
	return call, ok, nil
}

// parseSyscall parses /proc/PID/syscall: number, six arguments, stack pointer, program counter.
func parseSyscall(text string) (Syscall, bool) {
	fields := strings.Fields(text)
	if len(fields) != 9 {
		return Syscall{}, false
	}
	number, numberErr := strconv.Atoi(fields[0])
	sp, spErr := strconv.ParseUint(fields[7], 0, 64)
	pc, pcErr := strconv.ParseUint(fields[8], 0, 64)
	if numberErr != nil || spErr != nil || pcErr != nil || number < 0 { // -1: the thread sleeps outside a system call
		return Syscall{}, false
	}
	return Syscall{number, sp, pc}, true
}

// Name returns the name of the system call, "syscall N" where it is newer than the list of names.
func (s Syscall) Name() string {
	if name, ok := syscallNames()[s.Number]; ok {
		return name
	}
	return "syscall " + strconv.Itoa(s.Number)
}

// syscallNames parses the list of names: a line "NUMBER NAME" for each system call of this
// architecture, written from golang.org/x/sys by TestSyscallNames.
var syscallNames = sync.OnceValue(func() map[int]string {
	names := make(map[int]string)
	for line := range strings.Lines(syscallList) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(number); err == nil {
			names[n] = name
		}
	}
	return names
})
