// Idle-threads had many blocking calls at one time. They have ended; their threads stay.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"
)

func blockingRead(fd int, all *sync.WaitGroup) {
	defer all.Done()
	var b [1]byte
	if _, err := syscall.Read(fd, b[:]); err != nil {
		panic(err)
	}
}

func main() {
	const reads = 200
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	var all sync.WaitGroup
	all.Add(reads)
	for range reads {
		go blockingRead(pipe[0], &all)
	}
	for pprof.Lookup("threadcreate").Count() < reads {
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := syscall.Write(pipe[1], make([]byte, reads)); err != nil {
		panic(err)
	}
	all.Wait()
	time.Sleep(200 * time.Millisecond) // until the last threads sleep
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	fmt.Printf(`{"threads": %d}`, len(tasks))
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	in.Scan() // the end
}
