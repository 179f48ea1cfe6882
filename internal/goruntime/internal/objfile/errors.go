package objfile

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotGo means that a file or a process holds no Go program that pinwatch supports. The error
// that wraps it gives the reason.
var ErrNotGo = errors.New("not a Go program")

// Err32Bit means that a program is a 32-bit one. The kernel has no tracepoints for compat system
// calls on x86 (kernel/trace/trace_syscalls.c), so they could not be counted.
var Err32Bit = errors.New("a 32-bit program, whose system calls the kernel does not trace")

// ErrHidden means that a Go program lacks what pinwatch reads of others, because a packer or an
// obfuscator has removed it.
var ErrHidden = errors.New("packed or obfuscated")

// ErrLimit means that a file or a process would take more work to read than any real program does.
var ErrLimit = errors.New("beyond the limits of what pinwatch reads")

// NotGo returns ErrNotGo with its reason.
func NotGo(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotGo, fmt.Sprintf(format, args...))
}

// printable reports whether s is safe to print on a terminal: the target chose these bytes.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
