// Part is a plugin that pins.
package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const pinned, leaving = 3, 20

// Pin pins goroutines for good, and has others end while they are pinned. It returns how many.
func Pin() (stay, ended int) {
	tids := make(chan int)
	for range pinned {
		go session(tids)
		<-tids
	}
	for range leaving {
		go job(tids)
		for task := "/proc/self/task/" + strconv.Itoa(<-tids); ; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(task); err != nil {
				break
			}
		}
	}
	return pinned, leaving
}

// session is pinned and waits.
func session(tids chan<- int) {
	runtime.LockOSThread()
	tids <- syscall.Gettid()
	select {}
}

// job ends while it is pinned, on a thread that can end.
func job(tids chan<- int) {
	for syscall.Gettid() == os.Getpid() {
		time.Sleep(time.Millisecond)
	}
	runtime.LockOSThread()
	tids <- syscall.Gettid()
}

func main() {}
