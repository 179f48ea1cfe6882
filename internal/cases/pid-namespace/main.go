// Pid-namespace runs itself in a PID namespace of its own, as a container does.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// The main thread is kept from the goroutine that pins, so that its thread has other ids than its
// process. It also stays until the child has ended, which would else die with it.
func init() { runtime.LockOSThread() }

// pin holds its thread.
func pin(up chan<- int) {
	runtime.LockOSThread()
	up <- syscall.Gettid()
	select {}
}

// inside is the process in the namespace. It prints the ids of the threads that it pins.
func inside() {
	up := make(chan int)
	go pin(up)
	fmt.Fprintln(os.Stderr, <-up)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	in.Scan() // the end
}

// outer is the id outside of the namespace of the thread that has the given one inside.
func outer(pid int, inner string) string {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		panic(err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
		if err == nil && bytes.Contains(status, []byte("NSpid:\t"+task.Name()+"\t"+inner+"\n")) {
			return task.Name()
		}
	}
	panic("no thread " + inner)
}

func main() {
	if os.Getpid() == 1 {
		inside()
		return
	}
	child := exec.Command("/proc/self/exe")
	child.Stdin = os.Stdin
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	out, err := child.StderrPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		panic(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		panic(err)
	}
	inner := strings.TrimSpace(line)
	if _, err := strconv.Atoi(inner); err != nil {
		panic(err)
	}
	fmt.Printf(`{"pid": %d, "inner": %s, "tid": %s}`, child.Process.Pid, inner, outer(child.Process.Pid, inner))
	if err := child.Wait(); err != nil {
		panic(err)
	}
}
