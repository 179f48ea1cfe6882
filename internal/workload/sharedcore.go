package workload

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// cpuSet is a mask of the kernel's, for more CPUs than Linux can have.
type cpuSet [8192 / 64]uint64

func (c *cpuSet) list() (cpus []int) {
	for i := 0; i < 64*len(c); i++ {
		if c[i/64]>>uint(i%64)&1 != 0 {
			cpus = append(cpus, i)
		}
	}
	return cpus
}

// sharedcore has a locked goroutine that confined its thread to one CPU work there, while other goroutines keep every
// other thread of the runtime busy, on that CPU too.
func sharedcore(flags *flag.FlagSet) func(*stage) error {
	apart := flags.Bool("apart", false, "keep all other threads away from that CPU")
	return func(s *stage) error {
		allowed, err := affinity()
		if err != nil {
			return err
		}
		cpus := allowed.list()
		if len(cpus) < 2 {
			return errors.New("it takes two CPUs to share one or not, and this process may use one only")
		}
		var own, others cpuSet
		mine := cpus[len(cpus)-1]
		own[mine/64] = 1 << uint(mine%64)
		others = *allowed
		others[mine/64] &^= own[mine/64]

		pinned := s.spinner(5*time.Millisecond, 5*time.Millisecond, nil)
		if err := setAffinity(pinned.TID, &own); err != nil {
			return err
		}
		pinned.CPUs = []int{mine}
		for i := 0; i < runtime.GOMAXPROCS(0); i++ {
			s.busy()
		}
		if !*apart {
			return nil
		}
		if err := keepApart(pinned.TID, &others); err != nil {
			return err
		}
		s.run(func() {
			for s.pause(5 * time.Millisecond) { // for threads that have come since
				_ = keepApart(pinned.TID, &others) // has worked before; a thread that left meanwhile needs nothing
			}
		})
		return nil
	}
}

// keepApart confines every thread of this process but one.
func keepApart(except int, cpus *cpuSet) error {
	tids, err := taskIDs()
	if err != nil {
		return err
	}
	for _, tid := range tids {
		if tid == except {
			continue
		}
		if err := setAffinity(tid, cpus); err != nil && taskAlive(tid) {
			return err
		}
	}
	return nil
}

// affinity is the set of CPUs that the calling thread may use.
func affinity() (*cpuSet, error) {
	var c cpuSet
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(c), uintptr(unsafe.Pointer(&c)))
	if errno != 0 {
		return nil, fmt.Errorf("get affinity: %v", errno)
	}
	return &c, nil
}

func setAffinity(tid int, c *cpuSet) error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(*c), uintptr(unsafe.Pointer(c)))
	if errno != 0 {
		return fmt.Errorf("set affinity of thread %d: %v", tid, errno)
	}
	return nil
}
