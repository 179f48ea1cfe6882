// Command plug is a plugin that locks goroutines of its host.
package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Pin locks n goroutines for good. It returns their threads, and the function that they began with.
func Pin(n int) (tids []int, function string) {
	type pinned struct {
		tid      int
		function string
	}
	found := make(chan pinned)
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			found <- pinned{syscall.Gettid(), caller()}
			select {}
		}()
	}
	for i := 0; i < n; i++ {
		p := <-found
		tids, function = append(tids, p.tid), p.function
	}
	return tids, function
}

// Churn ends n threads, one after another: their goroutines end while locked. It returns the function
// that they began with.
func Churn(n int) (function string) {
	leaving := make(chan int)
	for i := 0; i < n; i++ {
		go func() {
			for syscall.Gettid() == os.Getpid() { // the main thread does not end with its goroutine
				time.Sleep(time.Millisecond)
			}
			runtime.LockOSThread()
			function = caller()
			leaving <- syscall.Gettid()
		}()
		for task := "/proc/self/task/" + strconv.Itoa(<-leaving); ; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(task); err != nil {
				break
			}
		}
	}
	return function
}

func caller() string {
	pc, _, _, _ := runtime.Caller(1)
	return runtime.FuncForPC(pc).Name()
}

func main() {}
