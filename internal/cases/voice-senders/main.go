// Voice-senders keeps a goroutine for each connection, which locks its thread and is never ended.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
)

// opusSender sends the packets of a connection. The channel of one that was dropped is never closed.
func opusSender(up chan<- bool, packets <-chan []byte) {
	runtime.LockOSThread() // the thread is kept locked for the lifetime of the connection
	up <- true
	for range packets {
	}
}

func main() {
	const dropped = 12
	up := make(chan bool)
	for range dropped {
		go opusSender(up, make(chan []byte))
		<-up
	}
	fmt.Printf(`{"dropped": %d}`, dropped)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	in.Scan() // the end
}
