// Nested-locks locks its thread once more with each request, and unlocks it less often.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
)

// request locks the thread and leaves it to its caller to unlock it, which does not know of that.
func request() {
	runtime.LockOSThread() // the caller unlocks
}

func serve(requests <-chan bool, served chan<- bool) {
	for range requests {
		request() //pinwatch:ignore the locks that add up are the case
		served <- true
	}
}

func main() {
	const before, later = 10, 20
	requests, served := make(chan bool), make(chan bool)
	go serve(requests, served)
	ask := func(n int) {
		for range n {
			requests <- true
			<-served
		}
	}
	ask(before) // the goroutine keeps its thread from the first on
	fmt.Printf(`{"before": %d, "later": %d, "depth": %d}`, before, later, before+later)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	ask(later)
	in.Scan() // the end
}
