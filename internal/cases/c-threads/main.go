// C-threads has threads that C code made. Some have called Go once, others never.
package main

/*
#cgo LDFLAGS: -pthread
void start_threads(int n, int call_go);
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"time"
)

var called = make(chan int, 64)

//export goOnce
func goOnce() { called <- syscall.Gettid() }

func main() {
	const callers, others = 8, 4
	C.start_threads(callers, 1)
	C.start_threads(others, 0)
	var last int
	for range callers {
		last = <-called
	}
	for asleep() < callers+others {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Printf(`{"callers": %d, "others": %d, "caller": %d}`, callers, others, last)
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // go
	in.Scan() // the end
}

// asleep counts the threads that wait in pause(2), by the kernel's account.
func asleep() (n int) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile("/proc/self/task/" + task.Name() + "/syscall")
		var number int
		if err != nil {
			continue // it has ended
		}
		if _, err := fmt.Sscan(string(b), &number); err == nil && number == pause {
			n++
		}
	}
	return n
}
