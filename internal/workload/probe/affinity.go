package probe

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"
)

// CPUSet is a CPU mask of the kernel. It holds as many CPUs as Linux can have.
type CPUSet [8192 / 64]uint64

// OneCPU is the set of one CPU.
func OneCPU(cpu int) *CPUSet {
	var c CPUSet
	c[cpu/64] = 1 << uint(cpu%64)
	return &c
}

// Without is the set without a CPU.
func (c CPUSet) Without(cpu int) *CPUSet {
	c[cpu/64] &^= 1 << uint(cpu%64)
	return &c
}

// List has the CPUs of the set, ascending.
func (c *CPUSet) List() (cpus []int) {
	for i := 0; i < 64*len(c); i++ {
		if c[i/64]>>uint(i%64)&1 != 0 {
			cpus = append(cpus, i)
		}
	}
	return cpus
}

// Affinity is the set of CPUs that the calling thread may use.
func Affinity() (*CPUSet, error) {
	c, errno := affinityOf(0)
	if errno != 0 {
		return nil, fmt.Errorf("get affinity: %v", errno)
	}
	return c, nil
}

func affinityOf(tid int) (*CPUSet, syscall.Errno) {
	var c CPUSet
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, uintptr(tid), unsafe.Sizeof(c),
		uintptr(unsafe.Pointer(&c)))
	return &c, errno
}

// SetAffinity confines a thread, 0 = the calling one, to a set of CPUs.
func SetAffinity(tid int, c *CPUSet) error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(*c),
		uintptr(unsafe.Pointer(c)))
	if errno != 0 {
		return fmt.Errorf("set affinity of thread %d: %v", tid, errno)
	}
	return nil
}

// getcpu is the number of the system call, which package syscall does not have.
func getcpu() uintptr {
	if runtime.GOARCH == "arm64" {
		return 168 // include/uapi/asm-generic/unistd.h
	}
	return 309 // arch/x86/entry/syscalls/syscall_64.tbl
}

// CurrentCPU is the CPU that the calling thread is on, -1 = unknown.
func CurrentCPU() int {
	var cpu uint32
	if _, _, errno := syscall.RawSyscall(getcpu(), uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 {
		return -1
	}
	return int(cpu)
}
