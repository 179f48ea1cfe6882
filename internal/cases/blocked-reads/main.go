// Blocked-reads has hundreds of goroutines in read(2) of one pipe at once.
package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
)

const readers = 300

func blockingRead(fd int) {
	var b [1]byte
	if _, err := syscall.Read(fd, b[:]); err != nil {
		panic(err)
	}
}

func main() {
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	fmt.Printf(`{"readers": %d}`+"\n", readers)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	for range readers {
		go blockingRead(pipe[0])
	}
	in.Scan() // the end
}
