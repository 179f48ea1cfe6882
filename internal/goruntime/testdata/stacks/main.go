// Command stacks has a goroutine on a thread in every place where a stack may begin. It prints the
// stacks of all goroutines as the runtime writes them, one line of JSON, and waits for the end of
// its standard input. Any Go since 1.13 builds it. With the tag withcgo it also calls C.
package main

import (
	"encoding/json"
	"io/ioutil"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// fd is the end of a pipe that nobody writes to.
var fd int

type reader struct{ fd int }

func (r *reader) read() {
	var b [1]byte
	_, _ = syscall.Read(r.fd, b[:])
}

// inlined is inlined into its callers.
func (r *reader) inlined() { r.read() }

// largeFrame has a frame of several reads of pinwatch.
//
//go:noinline
func largeFrame() byte {
	var b [64 << 10]byte
	b[fd] = 1
	deep(1)
	return b[fd]
}

//go:noinline
func deep(n int) int {
	if n == 0 {
		func() { (&reader{fd}).inlined() }()
		return 0
	}
	return deep(n-1) + 1
}

// locked runs f in a goroutine that is locked to its thread.
func locked(f func()) func() {
	return func() {
		runtime.LockOSThread()
		f()
	}
}

func receive() { <-make(chan int, 1) }

func choose() {
	select {
	case <-make(chan int, 1):
	case <-make(chan string, 1):
	}
}

func sleep() { time.Sleep(time.Hour) }

var mutex sync.Mutex

func acquire() { mutex.Lock() }

// spin is preempted again and again where there are more of it than Ps.
func spin() {
	for {
		for i := 0; i < 1000; i++ {
			fd += 0
		}
	}
}

// raw calls the kernel without the scheduler's knowledge.
func raw() {
	for {
		syscall.RawSyscall6(sysPpoll, 0, 0, 0, 0, 0, 0)
	}
}

func main() {
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		panic(err)
	}
	fd = p[0]
	mutex.Lock()
	plain := func() { deep(0) }
	largely := func() { largeFrame() }
	deeply := func() { deep(30) } // the runtime writes up to 50 calls at each end of a stack
	functions := []func(){plain, largely, deeply, locked(plain), locked(receive), locked(choose), locked(sleep), locked(acquire)}
	functions = append(functions, inC()...)
	for _, f := range functions {
		go f()
	}
	states := []string{"syscall", "chan receive", "select", "sleep", "semacquire", "sync.Mutex.Lock"}
	var text string
	for settled := false; !settled; time.Sleep(10 * time.Millisecond) {
		buf := make([]byte, 1<<20)
		text = string(buf[:runtime.Stack(buf, true)])
		there := 0
		for _, state := range states {
			there += strings.Count(text, " ["+state)
		}
		settled = there == len(functions)
	}
	account, err := json.Marshal(map[string]string{"version": runtime.Version(), "stacks": text})
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(account, '\n'))
	if len(os.Args) > 1 && os.Args[1] == "spin" { // nothing else may run from now on: the test kills the process
		runtime.GOMAXPROCS(2)
		for _, f := range []func(){raw, spin, spin} {
			go locked(f)()
		}
	}
	_, _ = ioutil.ReadAll(os.Stdin)
	os.Exit(0)
}
