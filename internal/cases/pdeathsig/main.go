// Pdeathsig starts children that shall die with their parent, from threads that end before it.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

func init() { runtime.LockOSThread() } // so that no goroutine below gets the main thread, which cannot end

// startChild returns a child whose thread ends with the goroutine.
func startChild(started chan<- *exec.Cmd) {
	runtime.LockOSThread()
	c := exec.Command("sleep", "1000")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil { //pinwatch:ignore that the thread ends before its child is the case
		panic(err)
	}
	started <- c
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	killed := 0
	for range 6 {
		started := make(chan *exec.Cmd)
		go startChild(started)
		c := <-started
		if c.Wait(); c.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			killed++
		}
	}
	in.Scan() // the end
	fmt.Printf(`{"killed": %d}`, killed)
}
