// Raw-sleep waits in system calls that the runtime does not know of. Some return EINTR, others begin again.
// With -known it waits by the calls that tell the runtime.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const nap = 50 * time.Millisecond

type account struct{ interrupted, naps, read int }

// wait sleeps for 50 ms at a time, and counts how often that ended early.
func wait(known bool, stop *atomic.Bool, done chan<- account) {
	runtime.LockOSThread() // so that the case knows whose calls they are
	defer runtime.UnlockOSThread()
	var a account
	for !stop.Load() {
		t := syscall.NsecToTimespec(nap.Nanoseconds())
		var errno syscall.Errno
		if known {
			_, _, errno = syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
		} else {
			_, _, errno = syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
		}
		a.naps++
		if errno == syscall.EINTR {
			a.interrupted++
		}
	}
	done <- a
}

// read reads bytes, which come slowly, and counts how often that failed.
func read(fd int, stop *atomic.Bool, done chan<- account) {
	var a account
	var b [1]byte
	for !stop.Load() {
		_, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1)
		if errno == syscall.EINTR {
			a.interrupted++
		}
		a.read++
	}
	done <- a
}

func write(fd int) {
	if _, err := syscall.Write(fd, []byte{0}); err != nil {
		panic(err)
	}
}

func main() {
	known := flag.Bool("known", false, "wait by calls that the runtime knows of")
	flag.Parse()
	runtime.GOMAXPROCS(4) // each raw wait keeps one
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		panic(err)
	}
	var stop atomic.Bool
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"naps": 0}`)
	in.Scan() // go
	done := make(chan account)
	waiters := 1
	go wait(*known, &stop, done)
	if !*known {
		waiters++
		go read(fds[0], &stop, done)
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		time.Sleep(nap)
		write(fds[1])
	}
	stop.Store(true)
	write(fds[1])
	var sum account
	for range waiters {
		a := <-done
		sum.naps += a.naps
		sum.read += a.read
		if a.naps > 0 {
			sum.interrupted = a.interrupted
		}
	}
	in.Scan() // the end
	fmt.Printf(`{"naps": %d, "interrupted": %d, "reads": %d}`+"\n", sum.naps, sum.interrupted, sum.read)
}
