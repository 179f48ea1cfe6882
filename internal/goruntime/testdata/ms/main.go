// Command ms brings threads of its own into every state that pinwatch tells apart, prints which they are as one line of JSON
// and waits for the end of its standard input. With the argument "wedge" its main goroutine exits while it is locked.
// Any Go since 1.13 builds it, with the tag withcgo also the threads that C makes.
package main

import (
	"encoding/json"
	"io/ioutil"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// A thread is what an observer must say of one.
type thread struct {
	TID    int    `json:"tid"`
	Role   string `json:"role"`
	Lock   string `json:"lock"`
	Ext    int    `json:"ext"`
	Int    int    `json:"int"`
	GoID   int64  `json:"goid"`
	Entry  string `json:"entry"` // the function the goroutine began with; "" for one that C called
	Parked bool   `json:"parked"`
	Gone   bool   `json:"gone"` // no M is the thread's, or no more
}

var ready = make(chan thread)

// goid is from the first line of the goroutine's trace: "goroutine 18 [running]:".
func goid() int64 {
	var buf [64]byte
	id, err := strconv.ParseInt(strings.Fields(string(buf[:runtime.Stack(buf[:], false)]))[1], 10, 64)
	if err != nil {
		panic(err)
	}
	return id
}

func self(t thread) thread {
	t.TID, t.GoID = syscall.Gettid(), goid()
	return t
}

func lock(depth int) {
	for i := 0; i < depth; i++ {
		runtime.LockOSThread()
	}
}

func waiter() {
	lock(3)
	ready <- self(thread{Role: "worker", Lock: "user", Ext: 3, Entry: "main.waiter", Parked: true})
	select {}
}

// caller is in a system call for ever: it runs.
func caller() {
	lock(1)
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		panic(err)
	}
	ready <- self(thread{Role: "worker", Lock: "user", Ext: 1, Entry: "main.caller"})
	syscall.Read(fds[0], make([]byte, 1))
}

var stop int32

func spinner() {
	lock(2)
	t := self(thread{Role: "worker", Lock: "user", Ext: 2, Entry: "main.spinner"})
	ready <- t
	for atomic.LoadInt32(&stop) == 0 {
	}
}

// unlocker holds its thread no more, but stays on it in a system call.
func unlocker() {
	lock(2)
	runtime.UnlockOSThread()
	runtime.UnlockOSThread()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		panic(err)
	}
	t := self(thread{Role: "worker", Lock: "none"})
	t.GoID = 0
	go func() { ready <- t }()
	syscall.Read(fds[0], make([]byte, 1))
}

func init() { runtime.LockOSThread() }

func main() {
	runtime.GOMAXPROCS(4) // one for the spinner, which older releases cannot preempt
	wedge := len(os.Args) > 1 && os.Args[1] == "wedge"
	var threads []thread
	if wedge {
		go report([]thread{{TID: syscall.Gettid(), Role: "main", Lock: "wedged", Ext: 1}})
		runtime.Goexit()
	}
	threads = append(threads, self(thread{Role: "main", Lock: "user", Ext: 1, Entry: "runtime.main"}))
	report(threads)
}

// report starts the other threads and returns where the standard input ends.
func report(threads []thread) {
	go unlocker()
	threads = append(threads, <-ready)
	for _, f := range append(inC(), waiter, caller, spinner) {
		go f()
		threads = append(threads, <-ready)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"threads": threads})
	ioutil.ReadAll(os.Stdin)
	atomic.StoreInt32(&stop, 1)
	os.Exit(0)
}
