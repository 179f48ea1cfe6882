// Stamped is the program that bench starts by pinwatch run. Its output is CLOCK_MONOTONIC, ns, before
// and after work that keeps every CPU busy: so many blocks are hashed, and the collector has some
// work too.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// begin is read before main, after the runtime has started.
var begin = now()

func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // cannot be: the clock exists and the pointer is valid
	}
	return ts.Nano()
}

const blockBytes = 64 << 10

func main() {
	blocks, err := strconv.ParseInt(os.Args[1], 10, 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, "stamped:", err)
		os.Exit(2)
	}
	var left atomic.Int64
	left.Store(blocks)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				block := make([]byte, blockBytes)
				sum := sha256.Sum256(block)
				runtime.KeepAlive(sum)
			}
		})
	}
	wg.Wait()
	fmt.Println(begin, now())
}
