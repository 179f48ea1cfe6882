// Stuck-mount opens files that do not answer, one more with each scrape.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// statMount opens a FIFO without a writer, which waits as a file of a mount does whose server is
// gone.
func statMount(fifo string) {
	fd, err := syscall.Open(fifo, syscall.O_RDONLY, 0)
	if err == nil {
		err = syscall.Close(fd)
	}
	if err != nil {
		panic(err)
	}
}

// stuck counts the threads that wait in the open, by the kernel's account.
func stuck() (n int) {
	names, err := filepath.Glob("/proc/self/task/*/wchan")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && strings.TrimSpace(string(b)) == "wait_for_partner" {
			n++
		}
	}
	return n
}

func main() {
	const scrapes = 12
	dir, err := os.MkdirTemp("", "stuck-mount-*")
	if err != nil {
		panic(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		panic(err)
	}
	for range scrapes {
		go statMount(fifo)
	}
	for stuck() < scrapes {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Printf(`{"stuck": %d, "created": %d}`, stuck(), pprof.Lookup("threadcreate").Count())
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // the end
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
}
