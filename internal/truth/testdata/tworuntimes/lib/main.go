// Command lib is a Go library with a runtime of its own. When it is loaded it locks two goroutines for
// good and prints their threads.
package main

import "C"

import (
	"encoding/json"
	"os"
	"runtime"
	"syscall"
)

func init() {
	var tids []int
	found := make(chan int)
	for range 2 {
		go func() {
			runtime.LockOSThread()
			found <- syscall.Gettid()
			select {}
		}()
		tids = append(tids, <-found)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"tids": tids}); err != nil {
		panic(err)
	}
}

func main() {}
