// Iter-pull pulls values from an iterator on a locked thread. The iterator is a goroutine of its
// own, to which the runtime lends the thread.
package main

import (
	"bufio"
	"fmt"
	"iter"
	"os"
	"runtime"
	"syscall"
)

func count(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}

// consume pulls n values on one thread.
func consume(up chan<- int, begin <-chan int) {
	runtime.LockOSThread() // for life: both sides call a library that needs one thread, which dies at the end
	next, stop := iter.Pull(count)
	up <- syscall.Gettid()
	sum := 0
	for range <-begin {
		v, _ := next()
		sum += v
	}
	up <- sum
	<-begin
	stop()
}

func main() {
	const pulls = 1000
	up, begin := make(chan int), make(chan int)
	go consume(up, begin)
	fmt.Printf(`{"tid": %d, "pulls": %d}`, <-up, pulls)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	begin <- pulls
	if sum := <-up; sum != pulls*(pulls-1)/2 {
		panic(sum)
	}
	in.Scan() // the end
}
