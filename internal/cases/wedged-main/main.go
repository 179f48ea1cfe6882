// Wedged-main ends a goroutine that is locked to the main thread.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// isolate is a request that must be alone on its thread, and never gives it back.
func isolate(onMain chan<- bool) {
	runtime.LockOSThread() // what it changes must not reach other requests, so the thread dies with it
	if syscall.Gettid() == syscall.Getpid() {
		onMain <- true
		return
	}
	runtime.UnlockOSThread() // this case is about the main thread
	onMain <- false
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	onMain := make(chan bool, 1)
	for found := false; !found; found = <-onMain {
		go isolate(onMain)
	}
	fmt.Printf(`{"tid": %d}`, os.Getpid())
	in.Scan() // go
	in.Scan() // the end
}
