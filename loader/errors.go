package loader

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoProcess means that no process has the PID, or that it ended before it could be observed.
var ErrNoProcess = errors.New("no such process")

// ErrKernelThread means that the PID is a kernel thread's: it runs no user code.
var ErrKernelThread = errors.New("is a kernel thread")

// ErrThread means that the PID is that of a thread that does not lead its process.
var ErrThread = errors.New("is a thread, not a process")

// UnsupportedError says that this kernel lacks something pinwatch cannot do without.
type UnsupportedError struct {
	What string // what is missing
	Min  string // the Linux version that has it, or the build option
	Err  error  // what the kernel answered; may be nil
}

func (e *UnsupportedError) Error() string {
	s := fmt.Sprintf("this kernel has no %s (needs %s)", e.What, e.Min)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *UnsupportedError) Unwrap() error { return e.Err }

// PermissionError says what the caller may not do and what would let it.
type PermissionError struct {
	Op      string   // what was refused
	Missing []string // capabilities the caller lacks; empty when it has those that are known to matter
	Why     string   // another reason that was found, for instance kernel lockdown
	Err     error
}

func (e *PermissionError) Error() string {
	switch {
	case len(e.Missing) > 0:
		return fmt.Sprintf("%s: needs %s: run it with sudo, or give the binary these capabilities with setcap", e.Op, strings.Join(e.Missing, " and "))
	case e.Why != "":
		return fmt.Sprintf("%s: refused: %s", e.Op, e.Why)
	}
	return fmt.Sprintf("%s: refused: %v", e.Op, e.Err)
}

func (e *PermissionError) Unwrap() error { return e.Err }
