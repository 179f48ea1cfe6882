// Cgo-callback has goroutines that are in C, which has called Go back, which waits.
package main

/*
extern void goWait(void);
static void visit(void) { goWait(); }
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
)

var (
	waiting = make(chan int)
	release = make(chan bool)
)

//export goWait
func goWait() {
	waiting <- syscall.Gettid()
	<-release
}

func visitAll() { C.visit() }

func main() {
	const callbacks = 6
	var last int
	for range callbacks {
		go visitAll()
		last = <-waiting
	}
	fmt.Printf(`{"callbacks": %d, "tid": %d}`, callbacks, last)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	in.Scan() // the end
	close(release)
}
