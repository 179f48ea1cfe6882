// Stopped is stopped and continued by its child, as a limiter of CPU time or a debugger does it.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stop stops a process for a while. It prints for how long at least, and at most.
func stop(pid int) {
	before := time.Now()
	check(syscall.Kill(pid, syscall.SIGSTOP))
	for running(pid) {
		time.Sleep(time.Millisecond)
	}
	stopped := time.Now()
	time.Sleep(700 * time.Millisecond)
	least := time.Since(stopped)
	check(syscall.Kill(pid, syscall.SIGCONT))
	fmt.Printf("{\"least_ns\": %d, \"most_ns\": %d}\n", least, time.Since(before))
}

// running reports whether some thread of a process is not stopped.
func running(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	check(err)
	for _, t := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, t.Name()))
		check(err)
		if !strings.Contains(string(stat), ") T ") {
			return true
		}
	}
	return false
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	if len(os.Args) > 1 {
		pid, err := strconv.Atoi(os.Args[1])
		check(err)
		stop(pid)
		return
	}
	in := bufio.NewScanner(os.Stdin)
	tid := make(chan int)
	go func() {
		runtime.LockOSThread() // for good
		tid <- syscall.Gettid()
		for {
			time.Sleep(10 * time.Millisecond) // seldom enough for the wake-ups to cost nothing worth a finding
		}
	}()
	fmt.Printf("{\"ticker\": %d}\n", <-tid)
	in.Scan() // go
	child := exec.Command("/proc/self/exe", strconv.Itoa(os.Getpid()))
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	check(child.Run())
	in.Scan() // the end
}
