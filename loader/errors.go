package loader

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoProcess means that no process has the PID.
var ErrNoProcess = errors.New("no such process")

// ErrEnded means that the process ended while pinwatch attached to it, or had ended as a zombie.
var ErrEnded = errors.New("ended before observation began")

// ErrKernelThread means that the PID is a kernel thread's, which runs no user code.
var ErrKernelThread = errors.New("is a kernel thread")

// ErrThread means that the PID is the tid of a thread that does not lead its process.
var ErrThread = errors.New("is a thread of process")

// unsupportedError means that this kernel lacks a feature that pinwatch needs.
type unsupportedError struct {
	what string // the missing feature
	min  string // the first Linux version that has it, or the build option
	err  error  // the kernel's error; may be nil
}

func (e *unsupportedError) Error() string {
	s := fmt.Sprintf("this kernel has no %s (needs %s)", e.what, e.min)
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

func (e *unsupportedError) Unwrap() error { return e.err }

// permissionError means that the kernel refused an operation, and names what would permit it.
type permissionError struct {
	op      string   // the refused operation
	missing []string // capabilities that the caller lacks; empty if it has all known to matter
	why     string   // another reason that was found, for instance kernel lockdown
	err     error
}

func (e *permissionError) Error() string {
	switch {
	case len(e.missing) > 0:
		return fmt.Sprintf("%s: needs %s: run it with sudo, or give the binary these capabilities with setcap",
			e.op, strings.Join(e.missing, " and "))
	case e.why != "":
		return fmt.Sprintf("%s: refused: %s", e.op, e.why)
	}
	return fmt.Sprintf("%s: refused: %v", e.op, e.err)
}

func (e *permissionError) Unwrap() error { return e.err }
