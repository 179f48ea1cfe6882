package nested

import "runtime"

func work() {}

func twice() {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	work()
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `nested: LockOSThread while twice holds the lock since line 9`
	defer runtime.UnlockOSThread()
	work()
}

func oneAfterTheOther() int {
	// errno is the thread's.
	runtime.LockOSThread()
	work()
	runtime.UnlockOSThread()
	work()
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return 1
}

func eitherOr(ok bool) {
	if ok {
		// errno is the thread's.
		runtime.LockOSThread()
	} else {
		work()
		// errno is the thread's.
		runtime.LockOSThread()
	}
	defer runtime.UnlockOSThread()
	work()
}
