// Poll-loop waits in short system calls all the time.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func poll() {
	ts := syscall.Timespec{Nsec: 150000}
	for {
		_ = syscall.Nanosleep(&ts, nil) // EINTR is as good
	}
}

// onCPU returns the time that all threads have run, ns, by the scheduler's account.
func onCPU() (ns int64) {
	files, _ := filepath.Glob("/proc/self/task/*/schedstat")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		var n int64
		if _, err := fmt.Fscan(strings.NewReader(string(b)), &n); err != nil {
			continue // the thread has ended
		}
		ns += n
	}
	return ns
}

func main() {
	go poll()
	fmt.Println(`{"poll_ns": 150000}`)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	begin, at := onCPU(), time.Now()
	time.Sleep(2500 * time.Millisecond)
	share := float64(onCPU()-begin) / float64(time.Since(at)) * 3 * 1e9 // of the window of 3 s
	in.Scan()                                                           // the end
	fmt.Printf(`{"cpu_ns": %.0f}`+"\n", share)
}
