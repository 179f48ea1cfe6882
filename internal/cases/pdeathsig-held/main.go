// Pdeathsig-held starts children that shall die with it, each from a goroutine that holds its thread
// for as long as the child lives, while other goroutines end with their threads.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

func init() { runtime.LockOSThread() } // so that no other goroutine gets the main thread

// keep starts a child and holds its thread until the child has ended.
func keep(started chan<- *os.Process, ended chan<- syscall.Signal) {
	runtime.LockOSThread() // the child is killed when this thread exits
	defer runtime.UnlockOSThread()
	child := exec.Command("sleep", "1000")
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := child.Start(); err != nil {
		panic(err)
	}
	started <- child.Process
	_ = child.Wait() // its error is the signal
	ended <- child.ProcessState.Sys().(syscall.WaitStatus).Signal()
}

// plugin ends with its thread.
func plugin(ran chan<- bool) {
	runtime.LockOSThread() // the thread is destroyed with the goroutine
	ran <- true
}

func main() {
	const children, exits = 3, 5
	started, ended, ran := make(chan *os.Process), make(chan syscall.Signal, children), make(chan bool)
	var processes []*os.Process
	for range children {
		go keep(started, ended)
		processes = append(processes, <-started)
	}
	in := bufio.NewScanner(os.Stdin)
	fmt.Printf(`{"children": %d, "exits": %d}`, children, exits)
	in.Scan() // go
	for range exits {
		go plugin(ran)
		<-ran
	}
	in.Scan() // the end
	for _, p := range processes {
		if err := p.Signal(syscall.SIGTERM); err != nil {
			panic(err)
		}
		if signal := <-ended; signal != syscall.SIGTERM {
			panic(signal)
		}
	}
}
