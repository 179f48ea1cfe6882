// Command ms puts its threads into every state that pinwatch distinguishes, prints these states as
// one line of JSON and waits for the end of its standard input. With the argument "wedge" its main
// goroutine exits while it is locked. Any Go since 1.13 builds it. With the tag withcgo it also has
// threads that C makes.
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

// A thread is the state of one, as pinwatch must report it.
type thread struct {
	TID    int    `json:"tid"`
	Role   string `json:"role"`
	Lock   string `json:"lock"`
	Ext    int    `json:"ext"`
	Int    int    `json:"int"`
	GoID   int64  `json:"goid"`
	Entry  string `json:"entry"` // the function that the goroutine began with; "" if C called Go
	Parked bool   `json:"parked"`
	Gone   bool   `json:"gone"` // the thread has no M
}

var ready = make(chan thread)

// goid reads the goroutine's number from the first line of its stack trace: "goroutine 18
// [running]:".
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

// caller stays in a system call, so its goroutine is not parked.
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

// unlocker has unlocked its thread, but stays on it in a system call.
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

// report starts the other threads and prints all. It exits at the end of the standard input.
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
