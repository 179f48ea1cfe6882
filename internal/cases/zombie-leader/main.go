// Zombie-leader ends its main thread by the system call itself: the process goes on with the
// others.
package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func init() { runtime.LockOSThread() } // main runs on the main thread

func pinned(tid chan<- int) {
	runtime.LockOSThread() // for good
	tid <- syscall.Gettid()
	select {}
}

func pinAndLeave(gone chan<- struct{}) {
	runtime.LockOSThread()
	gone <- struct{}{} // ends without UnlockOSThread: its thread ends, too
}

// mainThreadIsZombie reads what the kernel shows of the main thread.
func mainThreadIsZombie() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	return strings.Contains(string(status), "\nState:\tZ")
}

func work(exits, tid int) {
	for !mainThreadIsZombie() {
		time.Sleep(time.Millisecond)
	}
	account := json.NewEncoder(os.Stdout)
	_ = account.Encode(map[string]any{"pinned": tid, "go_version": runtime.Version()})
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	gone := make(chan struct{})
	for range exits {
		go pinAndLeave(gone)
		<-gone
	}
	_, _ = io.Copy(io.Discard, in)
	_ = account.Encode(map[string]any{"exits": exits})
	os.Exit(0)
}

func main() {
	exits, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	tid := make(chan int)
	go pinned(tid)
	go work(exits, <-tid)
	_, _, _ = syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0) // of this thread only
}
