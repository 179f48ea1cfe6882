// Glfw-loop draws from the main thread only. Other goroutines send it each call over a channel.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"time"
)

func init() { runtime.LockOSThread() } // the windowing library must be called from the main thread

var (
	calls = make(chan func())
	done  = make(chan bool)
)

// call runs a function on the main thread and waits for it.
func call(f func()) {
	calls <- f
	<-done
}

func render(frames int, rendered chan<- int) {
	drawn := 0
	for range frames {
		time.Sleep(2 * time.Millisecond)
		call(func() { drawn++ })
	}
	rendered <- drawn
}

func main() {
	rendered, ended := make(chan int, 1), make(chan bool)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		fmt.Printf(`{"tid": %d}`, os.Getpid())
		in.Scan() // go
		go render(300, rendered)
		in.Scan() // the end
		ended <- true
	}()
	for {
		select {
		case f := <-calls:
			f()
			done <- true
		case <-ended:
			fmt.Printf(`{"calls": %d}`, <-rendered)
			return
		}
	}
}
