package workload

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"
)

// ThreadState is what a thread may inherit from another. A value that could not be had is null.
type ThreadState struct {
	TID    int           `json:"tid"`
	At     int64         `json:"at_ns"`
	CPUs   []int         `json:"cpus"` // that it may use
	Nice   *int          `json:"nice"`
	Policy *int          `json:"policy"`          // SCHED_…, include/uapi/linux/sched.h
	Memory *MemoryPolicy `json:"memory"`          // only the thread itself can ask for it
	Error  string        `json:"error,omitempty"` // the first that came
}

// MemoryPolicy is where a thread's memory is to come from.
type MemoryPolicy struct {
	Mode  int    `json:"mode"`  // MPOL_…, include/uapi/linux/mempolicy.h
	Nodes uint64 `json:"nodes"` // the first 64, a bit each
}

const (
	schedBatch = 3 // SCHED_BATCH
	mpolBind   = 2 // MPOL_BIND
)

// ownState is the state of the calling thread.
func ownState() ThreadState {
	s := stateOf(syscall.Gettid())
	var m MemoryPolicy
	var mode int32
	var nodes [1024 / 64]uint64 // as many as the kernel can have
	_, _, errno := syscall.RawSyscall6(syscall.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), uintptr(unsafe.Pointer(&nodes)), 1024, 0, 0, 0)
	if errno != 0 {
		s.fail("get memory policy", errno)
		return s
	}
	m.Mode, m.Nodes = int(mode), nodes[0]
	s.Memory = &m
	return s
}

// stateOf is the state of a thread but for what only itself can ask for.
func stateOf(tid int) ThreadState {
	s := ThreadState{TID: tid, At: monotonic()}
	var c cpuSet
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, uintptr(tid), unsafe.Sizeof(c), uintptr(unsafe.Pointer(&c))); errno != 0 {
		s.fail("get affinity", errno)
	} else {
		s.CPUs = c.list()
	}
	if n, _, errno := syscall.RawSyscall(syscall.SYS_GETPRIORITY, syscall.PRIO_PROCESS, uintptr(tid), 0); errno != 0 {
		s.fail("get nice", errno)
	} else {
		nice := 20 - int(n) // so that it is never an error number (getpriority(2))
		s.Nice = &nice
	}
	if p, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETSCHEDULER, uintptr(tid), 0, 0); errno != 0 {
		s.fail("get policy", errno)
	} else {
		policy := int(p)
		s.Policy = &policy
	}
	return s
}

func (s *ThreadState) fail(what string, errno syscall.Errno) {
	if s.Error == "" {
		s.Error = what + ": " + errno.Error()
	}
}

// niceOf is the nice value of a thread, 0 = the calling one, or 0 where it can't be had.
func niceOf(tid int) int {
	if n := stateOf(tid).Nice; n != nil {
		return *n
	}
	return 0
}

func setPolicy(policy uintptr) error {
	var priority int32 // struct sched_param; 0 for all policies but the real-time ones
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, 0, policy, uintptr(unsafe.Pointer(&priority))); errno != 0 {
		return fmt.Errorf("set policy: %v", errno)
	}
	return nil
}

// setMemoryPolicy sets that of the calling thread. A kernel without NUMA has none, which is no error: ThreadState says so.
func setMemoryPolicy(mode uintptr, nodes uint64) error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SET_MEMPOLICY, mode, uintptr(unsafe.Pointer(&nodes)), 64)
	if errno != 0 && errno != syscall.ENOSYS {
		return fmt.Errorf("set memory policy: %v", errno)
	}
	return nil
}

// currentCPU is the CPU that the calling thread is on. Package syscall has no number for the call.
func currentCPU() int {
	number := uintptr(309) // getcpu, arch/x86/entry/syscalls/syscall_64.tbl
	if runtime.GOARCH == "arm64" {
		number = 168 // include/uapi/asm-generic/unistd.h
	}
	var cpu uint32
	if _, _, errno := syscall.RawSyscall(number, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 {
		return -1
	}
	return int(cpu)
}
