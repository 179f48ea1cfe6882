package probe

import (
	"fmt"
	"syscall"
	"unsafe"
)

// ThreadState is inheritable state of a thread. A value that could not be read is null.
type ThreadState struct {
	TID    int           `json:"tid"`
	At     int64         `json:"at_ns"`
	CPUs   []int         `json:"cpus"` // that it may use
	Nice   *int          `json:"nice"`
	Policy *int          `json:"policy"`          // SCHED_…, include/uapi/linux/sched.h
	Memory *MemoryPolicy `json:"memory"`          // only the thread itself can read it
	Error  string        `json:"error,omitempty"` // the first error
}

// MemoryPolicy is where a thread's memory comes from.
type MemoryPolicy struct {
	Mode  int    `json:"mode"`  // MPOL_…, include/uapi/linux/mempolicy.h
	Nodes uint64 `json:"nodes"` // the first 64, a bit each
}

// SchedOther and SchedBatch are policies between which a thread may change without privileges.
const (
	SchedOther = 0
	SchedBatch = 3
)

const mpolBind = 2 // MPOL_BIND

// CallerState is the state of the calling thread.
func CallerState() ThreadState {
	s := StateOf(syscall.Gettid())
	var m MemoryPolicy
	var mode int32
	var nodes [1024 / 64]uint64 // as many as the kernel can have
	_, _, errno := syscall.RawSyscall6(syscall.SYS_GET_MEMPOLICY,
		uintptr(unsafe.Pointer(&mode)), uintptr(unsafe.Pointer(&nodes)), 1024, 0, 0, 0)
	if errno != 0 {
		s.fail("get memory policy", errno)
		return s
	}
	m.Mode, m.Nodes = int(mode), nodes[0]
	s.Memory = &m
	return s
}

// StateOf is the state of a thread without its memory policy, which only the thread itself can
// read.
func StateOf(tid int) ThreadState {
	s := ThreadState{TID: tid, At: Now()}
	if c, errno := affinityOf(tid); errno != 0 {
		s.fail("get affinity", errno)
	} else {
		s.CPUs = c.List()
	}
	if n, _, errno := syscall.RawSyscall(syscall.SYS_GETPRIORITY, syscall.PRIO_PROCESS, uintptr(tid), 0); errno != 0 {
		s.fail("get nice", errno)
	} else {
		nice := 20 - int(n) // the kernel returns 20 - nice, so that it is never an error number (getpriority(2))
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

// AlterCaller changes everything that ThreadState holds of the calling thread: it may use one CPU
// only, its nice value is one higher, its policy is SCHED_BATCH and its memory policy MPOL_BIND.
func AlterCaller() error {
	allowed, err := Affinity()
	if err != nil {
		return err
	}
	if err := SetAffinity(0, OneCPU(allowed.List()[0])); err != nil {
		return err
	}
	nice := 0
	if n := StateOf(0).Nice; n != nil {
		nice = *n
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), nice+1); err != nil {
		return fmt.Errorf("set nice: %v", err)
	}
	if err := SetPolicy(SchedBatch); err != nil {
		return err
	}
	nodes := uint64(1)
	// A kernel without NUMA has no such call. That is no error here: ThreadState shows it.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SET_MEMPOLICY, mpolBind,
		uintptr(unsafe.Pointer(&nodes)), 64); errno != 0 && errno != syscall.ENOSYS {
		return fmt.Errorf("set memory policy: %v", errno)
	}
	return nil
}

// SetPolicy sets the scheduling policy of the calling thread to one that has no priority.
func SetPolicy(policy int) error {
	var priority int32 // struct sched_param; 0 for all policies but the real-time ones
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, 0, uintptr(policy),
		uintptr(unsafe.Pointer(&priority))); errno != 0 {
		return fmt.Errorf("set policy: %v", errno)
	}
	return nil
}
