// Exit-locked ends goroutines that are locked to their threads, one after another, each in a UTS
// namespace of its own.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

func init() { runtime.LockOSThread() } // so that no other goroutine gets the main thread

// inNamespace works in a UTS namespace of its own and ends with its thread, because that must not
// go back to the pool.
func inNamespace(tid chan<- int) {
	runtime.LockOSThread() // the thread dies with the goroutine: it is in another namespace
	if err := syscall.Unshare(syscall.CLONE_NEWUTS); err != nil {
		panic(err)
	}
	tid <- syscall.Gettid()
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	tid, exits := make(chan int), 0
	for range 25 {
		go inNamespace(tid)
		task := fmt.Sprintf("/proc/self/task/%d", <-tid)
		for exists(task) {
			time.Sleep(time.Millisecond)
		}
		exits++
	}
	in.Scan() // the end
	fmt.Printf(`{"exits": %d}`, exits)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
