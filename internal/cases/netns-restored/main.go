// Netns-restored enters a network namespace for some work, and leaves it again before it unlocks its
// thread.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

func inside(work func() error) (tid int, err error) {
	runtime.LockOSThread() // a namespace is the thread's
	defer runtime.UnlockOSThread()
	own, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", syscall.Gettid()))
	if err != nil {
		panic(err)
	}
	defer own.Close()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil { //pinwatch:ignore here the work does not fail
		panic(err)
	}
	tid = syscall.Gettid()
	if err := work(); err != nil {
		return tid, err // in the other namespace
	}
	if _, _, errno := syscall.Syscall(setns, own.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		panic(errno)
	}
	return tid, nil
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	type result struct {
		tid int
		err error
	}
	results := make(chan result)
	go func() {
		tid, err := inside(func() error { return nil })
		results <- result{tid, err}
	}()
	r := <-results
	ns, err := os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/net", r.tid))
	if err != nil {
		panic(err)
	}
	fmt.Printf("{\"tid\": %d, \"inode\": %q, \"failed\": %t}\n", r.tid, ns[len("net:["):len(ns)-1], r.err != nil)
	in.Scan() // go
	in.Scan() // the end
}
