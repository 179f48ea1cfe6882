// Setgroups changes the credentials of all threads, some of which are locked.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// serve holds its thread and waits.
func serve(up chan<- int, work <-chan bool) {
	runtime.LockOSThread() // stays locked as long as the process lives
	up <- syscall.Gettid()
	<-work
}

func main() {
	const servers, calls = 16, 20
	up, work := make(chan int), make(chan bool)
	for range servers {
		go serve(up, work)
		<-up
	}
	in := bufio.NewScanner(os.Stdin)
	fmt.Printf(`{"servers": %d, "calls": %d}`, servers, calls)
	in.Scan() // go
	for range calls {
		if err := syscall.Setgid(syscall.Getgid()); err != nil { // a signal to every thread
			panic(err)
		}
	}
	in.Scan() // the end
}
