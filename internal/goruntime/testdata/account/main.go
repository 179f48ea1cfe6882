// Command account prints facts about its runtime as one line of JSON, then waits for the end of its
// standard input. Any Go since 1.13 builds it. As a c-shared library it prints when it is loaded. With
// an argument its main thread ends before the process does.
package main

import (
	"encoding/json"
	"io"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Addresses of the runtime's variables. Only assembly may name them.
func m0() uintptr
func allm() uintptr

// iscgo returns runtime.iscgo: true if runtime/cgo is linked in.
func iscgo() bool

// currentG returns the address of the g of the goroutine that calls it.
func currentG() uintptr

// init starts the goroutine that prints: a library's main does not run.
func init() {
	runtime.LockOSThread() // main runs on the main thread
	go hold()
	<-printed
}

var printed = make(chan bool)

// hold locks its goroutine to its thread, prints, and stays in a system call, so that the printed
// state of the thread stays true.
func hold() {
	runtime.LockOSThread()
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"version":      runtime.Version(),
		"gomaxprocs":   runtime.GOMAXPROCS(0),
		"asyncPreempt": asyncPreempt(),
		"cgo":          iscgo(),
		"main":         reflect.ValueOf(main).Pointer(),
		"lockOSThread": reflect.ValueOf(runtime.LockOSThread).Pointer(),
		"m0":           m0(),
		"allm":         allm(),
		"tid":          syscall.Gettid(),
		"threadPtr":    threadPointer(),
		"g":            currentG(),
		"goid":         goid(),
		"hold":         reflect.ValueOf(hold).Pointer(),
	})
	close(printed)
	syscall.Read(pipe[0], make([]byte, 1)) // there is no writer
}

// goid reads the goroutine's number from the first line of its stack trace: "goroutine 18
// [running]:".
func goid() int {
	buf := make([]byte, 64)
	n, err := strconv.Atoi(strings.Fields(string(buf[:runtime.Stack(buf, false)]))[1])
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	if len(os.Args) > 1 {
		go func() {
			io.Copy(discard{}, os.Stdin)
			os.Exit(0)
		}()
		syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0) // of this thread only
	}
	io.Copy(discard{}, os.Stdin)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
