package dotted

import . "runtime"

func work() {}

func dot() {
	// errno is the thread's.
	go func() {
		LockOSThread() //vet:test // want `unlock: LockOSThread without UnlockOSThread`
		work()
	}()
}

func balanced() {
	// errno is the thread's.
	LockOSThread()
	defer UnlockOSThread()
	work()
}
