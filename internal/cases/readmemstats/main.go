// Readmemstats reads the runtime's memory statistics very often beside goroutines that compute.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

var stop atomic.Bool

// compute has no call in its loop, so that only a signal stops it.
func compute(ended chan<- int) {
	n := 0
	for !stop.Load() {
		n++
	}
	ended <- n
}

// collect is a metrics collector whose interval is too short. It returns how often it read.
func collect() (reads int) {
	var m runtime.MemStats
	for ; !stop.Load(); reads++ {
		runtime.ReadMemStats(&m)
		time.Sleep(time.Millisecond)
	}
	return reads
}

func main() {
	n := runtime.GOMAXPROCS(0)
	ended := make(chan int)
	for range n {
		go compute(ended)
	}
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	go func() {
		in.Scan() // the end
		stop.Store(true)
	}()
	reads := collect()
	for range n {
		<-ended
	}
	fmt.Printf(`{"reads": %d}`, reads)
}
