// User-limit runs as a user with few threads left (ulimit -u), and blocks goroutines in read(2) one by one.
package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	user        = 54321 // who has no other process
	most        = 400   // threads; more than the case starts in the time of its window
	rlimitProcs = 6     // RLIMIT_NPROC, which package syscall does not name
)

func blockingRead(fd int) {
	var b [1]byte
	if _, err := syscall.Read(fd, b[:]); err != nil {
		panic(err)
	}
}

func main() {
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	if err := syscall.Setrlimit(rlimitProcs, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		panic(err)
	}
	if err := syscall.Setuid(user); err != nil {
		panic(err)
	}
	fmt.Printf(`{"user": %d, "most": %d}`+"\n", user, most)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	go func() {
		for range most / 2 {
			time.Sleep(20 * time.Millisecond)
			go blockingRead(pipe[0])
		}
	}()
	in.Scan() // the end
	tasks, err := os.ReadDir("/proc/self/task")
	fmt.Printf(`{"tasks": %d, "error": %t}`+"\n", len(tasks), err != nil)
}
