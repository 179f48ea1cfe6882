// Ptrace-tracer traces a child from one thread, as ptrace demands.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

type tracee struct{ tid, pid int }

// trace starts a child and waits in wait4 for its next stop. It holds its thread.
func trace(started chan<- tracee) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child := exec.Command("sleep", "1000")
	child.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := child.Start(); err != nil {
		panic(err)
	}
	pid := child.Process.Pid
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil { // it stops at its exec
		panic(err)
	}
	if err := syscall.PtraceCont(pid, 0); err != nil {
		panic(err)
	}
	started <- tracee{syscall.Gettid(), pid}
	for !status.Signaled() {
		if _, err := syscall.Wait4(pid, &status, syscall.WALL, nil); err != nil {
			panic(err)
		}
	}
	started <- tracee{}
}

func main() {
	started := make(chan tracee)
	go trace(started)
	t := <-started
	fmt.Printf(`{"tid": %d, "child": %d}`, t.tid, t.pid)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // the end
	if err := syscall.Kill(t.pid, syscall.SIGKILL); err != nil {
		panic(err)
	}
	<-started
}
