// Git2go calls a C library that keeps its errors per thread: each call locks, calls and unlocks.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// lookup stands for a call of the library and the reading of its error.
func lookup() int {
	runtime.LockOSThread() // the library keeps its last error per thread
	defer runtime.UnlockOSThread()
	return syscall.Getppid()
}

func main() {
	const workers, each = 2, 200
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				if lookup() < 0 {
					panic("no parent")
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	all.Wait()
	in.Scan() // the end
	fmt.Printf(`{"calls": %d}`, workers*each)
}
