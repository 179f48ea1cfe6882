// Leaked-sessions pins a goroutine for each session and never lets one go.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"time"
)

// session keeps its thread until somebody closes it, which nobody does.
func session(opened chan<- bool, closed <-chan bool) {
	runtime.LockOSThread() // stays locked on purpose: that is the fault to show
	opened <- true
	<-closed
}

func main() {
	opened, closed := make(chan bool), make(chan bool)
	go session(opened, closed)
	<-opened
	fmt.Println(`{"before": 1}`)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	ended := make(chan bool)
	go func() {
		in.Scan() // the end
		close(ended)
	}()
	next := time.NewTicker(100 * time.Millisecond)
	for n := 0; ; n++ {
		select {
		case <-ended:
			fmt.Printf(`{"opened": %d}`+"\n", n)
			return
		case <-next.C:
			go session(opened, closed)
			<-opened
		}
	}
}
