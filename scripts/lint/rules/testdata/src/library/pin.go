package library

import "runtime"

func work() {}

func pin() {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread() //lint:test // want `LockOSThread without UnlockOSThread`
		work()
	}()
}
