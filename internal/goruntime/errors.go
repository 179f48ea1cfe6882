package goruntime

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// ErrNotGo says that a process runs no Go program that can be observed as one: a C program, the interpreter of a
// script, a kernel thread, a Go program older than 1.13. The error that wraps it gives the reason.
var ErrNotGo = errors.New("not a Go program")

// Err32Bit says that a process runs a 32-bit program. The kernel does not trace its system calls as it does others
// (kernel/trace/trace_syscalls.c: compat calls have no tracepoints on x86), so what they do could not be counted.
var Err32Bit = errors.New("a 32-bit program, whose system calls the kernel does not trace")

// errLimit says that a file or a process asks for more work than any real program needs.
var errLimit = errors.New("beyond the limits of what pinwatch reads")

// A PermissionError says which part of a process the kernel would not let us read, and what would open it.
// It satisfies errors.Is(err, fs.ErrPermission).
type PermissionError struct {
	Path       string // what was refused, such as /proc/42/exe
	Capability string // the capability that allows it: CAP_SYS_PTRACE or CAP_DAC_READ_SEARCH
	Err        error  // the kernel's answer
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("read %s: %v (needs %s, or to run as the user of the process)", e.Path, e.Err, e.Capability)
}

// Unwrap gives the kernel's answer, and fs.ErrPermission.
func (e *PermissionError) Unwrap() []error { return []error{e.Err, fs.ErrPermission} }

// notGo is ErrNotGo with its reason.
func notGo(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotGo, fmt.Sprintf(format, args...))
}

// printable reports whether s is safe to print on a terminal: the target chose these bytes.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
