package probe

import (
	"syscall"
	"unsafe"
)

// Now is CLOCK_MONOTONIC in nanoseconds, the clock of bpf_ktime_get_ns. The runtime does not export
// its reading of it. A goroutine cannot be preempted in Now: where it ends a loop without calls, it
// returns the time of the loop's end.
//
//go:nosplit
func Now() int64 {
	const clockMonotonic = 1 // include/uapi/linux/time.h
	return clockTime(clockMonotonic)
}

// ThreadCPU is the CPU time of the calling thread in nanoseconds. A goroutine cannot be preempted
// in it.
//
//go:nosplit
func ThreadCPU() int64 {
	const clockThreadCPU = 3 // CLOCK_THREAD_CPUTIME_ID, include/uapi/linux/time.h
	return clockTime(clockThreadCPU)
}

//go:nosplit
func clockTime(clock uintptr) int64 {
	var ts syscall.Timespec
	// The call cannot fail with these arguments.
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// ThreadUsage reads what the calling thread has used.
func ThreadUsage(u *syscall.Rusage) {
	const rusageThread = 1 // RUSAGE_THREAD, include/uapi/linux/resource.h
	// The call cannot fail with these arguments.
	_, _, _ = syscall.RawSyscall(syscall.SYS_GETRUSAGE, rusageThread, uintptr(unsafe.Pointer(u)), 0)
}

// ProcessUsage reads what the whole process has used.
func ProcessUsage(u *syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, u) // cannot fail with these arguments
}
