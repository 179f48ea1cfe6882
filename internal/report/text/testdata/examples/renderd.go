// Renderd is the program in the examples of the documents: a device that must be used from one
// thread, and a request handler that forgets to unlock its thread.
package main

import (
	"runtime"
	"time"
)

type device struct{ jobs chan chan int }

// loop runs on the device's thread.
func (d *device) loop() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for result := range d.jobs {
		result <- work(2000)
	}
}

func (d *device) draw() int {
	result := make(chan int)
	d.jobs <- result
	return <-result
}

// handle is a request that ends without unlocking its thread.
func handle(done chan<- int) {
	runtime.LockOSThread()
	done <- work(500)
}

func work(n int) (sum int) {
	for i := range n {
		sum += i * i
	}
	return sum
}

func main() {
	d := &device{jobs: make(chan chan int)}
	go d.loop()
	done := make(chan int)
	for {
		for range 20 {
			d.draw()
		}
		go handle(done)
		<-done
		time.Sleep(10 * time.Millisecond)
	}
}
