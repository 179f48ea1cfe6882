// Command held-in-read has many goroutines in read(2) of a blocking pipe. It prints its account
// when all of them are there, and ends with its standard input.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

func blockingRead(fd int) {
	var b [1]byte
	_, _ = syscall.Read(fd, b[:])
}

// inRead counts the goroutines in read(2) by the profile that the runtime writes of itself.
func inRead() int {
	var text strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&text, 2)
	n := 0
	for _, stack := range strings.Split(text.String(), "\n\n") {
		header, calls, _ := strings.Cut(stack, "\n")
		if strings.Contains(header, "[syscall") && strings.Contains(calls, "main.blockingRead(") {
			n++
		}
	}
	return n
}

func main() {
	n := flag.Int("n", 600, "goroutines")
	flag.Parse()
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		panic(err)
	}
	for range *n {
		go blockingRead(p[0])
	}
	for inRead() < *n {
		time.Sleep(10 * time.Millisecond)
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]int{"in_read": inRead()})
	_, _ = io.Copy(io.Discard, os.Stdin)
}
