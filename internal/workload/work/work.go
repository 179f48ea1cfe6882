// Package work has what goroutines of workloads do: use a CPU, sleep in the kernel, block in a
// pipe.
//
// It keeps to Go 1.13, as all that is compiled into a workload.
package work

import (
	"runtime"
	"syscall"
)

// Spin does n rounds of arithmetic, about a nanosecond each, in a loop without a point of voluntary
// preemption.
//
//go:noinline
func Spin(n int) {
	x := uint64(n)
	for i := 0; i < n; i++ {
		x = x*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator: a chain that no compiler shortens
	}
	runtime.KeepAlive(x)
}

// Nap blocks the calling thread for ns nanoseconds in a system call that the runtime handles like
// any other. A signal ends it early.
func Nap(ns int64) {
	ts := syscall.NsecToTimespec(ns)
	_ = syscall.Nanosleep(&ts, nil) // fails only when a signal ends it early
}

// WriteByte writes a byte to a pipe that has a reader. It repeats the write after a signal and
// ignores other errors, which such a pipe does not have.
func WriteByte(fd int) {
	for {
		if _, err := syscall.Write(fd, []byte{0}); err != syscall.EINTR {
			return
		}
	}
}

// ReadByte blocks in a system call until the pipe has a byte or its other end is closed.
func ReadByte(fd int) {
	var b [1]byte
	for {
		if _, err := syscall.Read(fd, b[:]); err != syscall.EINTR { // EINTR: a signal without SA_RESTART
			return
		}
	}
}
