// First-wake has 300 goroutines that keep a thread each, and hands each of them one piece of work.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func hold(work <-chan int, done chan<- int) {
	runtime.LockOSThread() // stays locked: a thread for each goroutine is the case
	done <- 0
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

func main() {
	const threads = 300
	done := make(chan int, threads)
	var work [threads]chan int
	for i := range work {
		work[i] = make(chan int)
		go hold(work[i], done)
		<-done
	}
	for !asleep() {
		time.Sleep(10 * time.Millisecond)
	}
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	handed := 0
	for i, w := range work {
		w <- i
		handed++
		<-done
		time.Sleep(2 * time.Millisecond)
	}
	in.Scan() // the end
	fmt.Printf(`{"handed": %d}`, handed)
}
