// Pingpong passes a value between two goroutines that each hold a thread.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
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

func main() {
	const rounds = 3000
	tid := make(chan int)
	there, back, home := make(chan int), make(chan int), make(chan int)
	go player(tid, there, back)
	first := <-tid
	go player(tid, back, home)
	fmt.Printf(`{"first": %d, "second": %d, "rounds": %d}`, first, <-tid, rounds)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	v := 0
	for range rounds {
		there <- v
		v = <-home
	}
	if v != 2*rounds {
		panic(v)
	}
	in.Scan() // the end
}
