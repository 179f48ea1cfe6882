// Pingpong passes a value between two goroutines that each hold a thread.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// player returns each value that it gets, one larger, from a thread of its own.
func player(tid chan<- int, in <-chan int, out chan<- int) {
	runtime.LockOSThread() // stays locked: its library keeps state per thread
	tid <- syscall.Gettid()
	for v := range in {
		out <- v + 1
	}
	close(out)
}

// slept is how often a thread has gone to sleep, by the kernel's account.
func slept(tid int) (n int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", tid))
	if err != nil {
		panic(err)
	}
	_, after, _ := strings.Cut(string(b), "\nvoluntary_ctxt_switches:")
	if _, err := fmt.Sscan(after, &n); err != nil {
		panic(err)
	}
	return n
}

func main() {
	const rounds = 3000
	tid := make(chan int)
	there, back, home := make(chan int), make(chan int), make(chan int)
	go player(tid, there, back)
	first := <-tid
	go player(tid, back, home)
	second := <-tid
	fmt.Printf(`{"first": %d, "second": %d}`, first, second)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	firstSlept, secondSlept := slept(first), slept(second)
	v := 0
	for range rounds {
		there <- v
		v = <-home
	}
	if v != 2*rounds {
		panic(v)
	}
	in.Scan() // the end
	fmt.Printf(`{"first_slept": %d, "second_slept": %d}`, slept(first)-firstSlept, slept(second)-secondSlept)
}
