// Command plug is a plugin that locks a goroutine.
package main

import (
	"reflect"
	"runtime"
)

// Pin locks a goroutine for good. It returns the function that the goroutine began with, and where the
// function LockOSThread is that was called.
func Pin() (function string, entry, lock uintptr) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		pc, _, _, _ := runtime.Caller(0)
		f := runtime.FuncForPC(pc)
		function, entry, lock = f.Name(), f.Entry(), reflect.ValueOf(runtime.LockOSThread).Pointer()
		close(done)
		select {}
	}()
	<-done
	return function, entry, lock
}

func main() {}
