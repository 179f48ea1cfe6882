// Bound holds a thread for good, bound to one CPU and with a niceness of its own.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

const nice = 5

type state struct{ tid, cpu int }

// bind locks its goroutine, binds the thread to the first CPU that the process may use, and stays.
func bind(bound chan<- state) {
	runtime.LockOSThread()
	var allowed, one [128]uint64
	n, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(allowed),
		uintptr(unsafe.Pointer(&allowed)))
	if errno != 0 {
		panic(errno)
	}
	cpu := 0
	for allowed[cpu/64]&(1<<(cpu%64)) == 0 {
		cpu++
	}
	one[cpu/64] = 1 << (cpu % 64)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, n, uintptr(unsafe.Pointer(&one))); errno != 0 {
		panic(errno)
	}
	tid := syscall.Gettid()
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, tid, nice); err != nil {
		panic(err)
	}
	bound <- state{tid, cpu}
	select {}
}

func main() {
	bound := make(chan state)
	go bind(bound)
	s := <-bound
	fmt.Printf(`{"tid": %d, "cpu": %d, "nice": %d}`, s.tid, s.cpu, nice)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	in.Scan() // the end
}
