// Pinned-server has a pinned goroutine serve requests, after it has done the same unpinned.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// serve answers each request, from a thread of its own if it is pinned.
func serve(requests <-chan chan int, pinned bool) {
	if pinned {
		runtime.LockOSThread() // stays locked, as the library's goroutine does
	}
	for answer := range requests {
		answer <- 1
	}
}

// client makes twenty requests every two milliseconds until it is told to stop, and returns their number
// and the CPU time of the process for each, ns.
func client(requests chan<- chan int, stop <-chan time.Time) (n int, each float64) {
	begin := used()
	for pace := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case <-stop:
			pace.Stop()
			return n, float64(used()-begin) / float64(n)
		case <-pace.C:
		}
		for range 20 {
			answer := make(chan int)
			requests <- answer
			<-answer
			n++
		}
	}
}

// used is the CPU time of the process, ns.
func used() int64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		panic(err)
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}

func main() {
	free, requests := make(chan chan int), make(chan chan int)
	go serve(free, false)
	_, unpinned := client(free, time.After(2*time.Second))
	close(free)
	go serve(requests, true)
	fmt.Printf(`{"unpinned_ns": %.0f}`+"\n", unpinned)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	begin := time.Now()
	n, pinned := client(requests, time.After(2500*time.Millisecond))
	cost := (pinned - unpinned) * float64(n) / float64(time.Since(begin)) // of one CPU
	fmt.Printf(`{"pinned_ns": %.0f, "cost": %.5f}`+"\n", pinned, cost)
	_, _ = client(requests, time.After(500*time.Millisecond))
	in.Scan() // the end
}
