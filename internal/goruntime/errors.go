package goruntime

import (
	"fmt"
	"io/fs"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// ErrNotGo means that a process runs no Go program that pinwatch can observe: it runs a C program,
// the interpreter of a script, a kernel thread, or a Go program from before Go 1.13. The error that
// wraps it gives the reason.
var ErrNotGo = objfile.ErrNotGo

// ErrHidden means that a process runs a Go program that a packer or an obfuscator has made
// unreadable. The error that wraps it gives the reason.
var ErrHidden = objfile.ErrHidden

// Err32Bit means that a process runs a 32-bit program. The kernel has no tracepoints for its system
// calls, so they could not be counted.
var Err32Bit = objfile.Err32Bit

// A ReleaseError means that Options.GoVersion cannot be the release of the program.
type ReleaseError struct {
	Release string // of the options
	Why     string
}

func (e *ReleaseError) Error() string { return fmt.Sprintf("%.40s: %s", e.Release, e.Why) }

// A PermissionError names the part of a process that the kernel refused to open, and the capability
// that opens it. It satisfies errors.Is(err, fs.ErrPermission).
type PermissionError struct {
	Path       string // the refused file, such as /proc/42/exe
	Capability string // CAP_SYS_PTRACE or CAP_DAC_READ_SEARCH
	Err        error  // from the kernel
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("read %s: %v (needs %s, or to run as the user of the process)", e.Path, e.Err, e.Capability)
}

// Unwrap returns the kernel's error and fs.ErrPermission.
func (e *PermissionError) Unwrap() []error { return []error{e.Err, fs.ErrPermission} }
