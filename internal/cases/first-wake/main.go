// First-wake has 300 goroutines that keep a thread each, and hands each of them one piece of work.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func hold(work <-chan int, done chan<- int) {
	runtime.LockOSThread() // stays locked: a thread for each goroutine is the case
	done <- syscall.Gettid()
	for v := range work {
		done <- v
	}
}

// asleep reports whether all threads but the calling one sleep, by the kernel's account.
func asleep() bool {
	files, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		panic(err)
	}
	awake := 0
	for _, file := range files {
		if stat, err := os.ReadFile(file); err == nil && !strings.Contains(string(stat), ") S ") {
			awake++
		}
	}
	return awake <= 1
}

// sleeps counts how often the threads have gone to sleep, by the kernel's account.
func sleeps(tids []int) (n int) {
	for _, tid := range tids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", tid))
		if err != nil {
			panic(err)
		}
		_, value, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
		var of int
		if _, err := fmt.Sscan(value, &of); err != nil {
			panic(err)
		}
		n += of
	}
	return n
}

func wait() {
	for !asleep() {
		time.Sleep(10 * time.Millisecond)
	}
}

func main() {
	const threads = 300
	done := make(chan int, threads)
	var work [threads]chan int
	var tids [threads]int
	for i := range work {
		work[i] = make(chan int)
		go hold(work[i], done)
		tids[i] = <-done
	}
	wait()
	before := sleeps(tids[:])
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	handed := 0
	for i, w := range work {
		w <- i
		handed++
		<-done
	}
	wait()
	slept := sleeps(tids[:]) - before
	in.Scan() // the end
	fmt.Printf(`{"handed": %d, "slept": %d}`, handed, slept)
}
