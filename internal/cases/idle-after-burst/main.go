// Command idle-after-burst has many goroutines in read(2) at once. Later it lets all but a few go, so
// that the threads of the others have nothing to do. It prints its account then, and ends with
// its standard input.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"
)

func blockingRead(fd int, done *sync.WaitGroup) {
	var b [1]byte
	_, _ = syscall.Read(fd, b[:])
	done.Done()
}

// stays is in read(2) until the end.
func stays(fd int) {
	var b [1]byte
	_, _ = syscall.Read(fd, b[:])
}

func pipe() [2]int {
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		panic(err)
	}
	return p
}

func main() {
	n := flag.Int("n", 200, "goroutines that are let go")
	stay := flag.Int("stay", 50, "goroutines that stay")
	flag.Parse()
	first, second := pipe(), pipe()
	var burst sync.WaitGroup
	for range *n {
		burst.Add(1)
		go blockingRead(first[0], &burst)
	}
	for range *stay {
		go stays(second[0])
	}
	for pprof.Lookup("threadcreate").Count() < *n+*stay {
		time.Sleep(10 * time.Millisecond)
	}
	_, _ = syscall.Write(first[1], make([]byte, *n))
	burst.Wait()
	time.Sleep(time.Second) // until the threads have gone to sleep
	_ = json.NewEncoder(os.Stdout).Encode(map[string]int{"stay": *stay,
		"threads": pprof.Lookup("threadcreate").Count()})
	_, _ = io.Copy(io.Discard, os.Stdin)
}
