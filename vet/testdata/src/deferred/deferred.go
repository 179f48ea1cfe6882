package deferred

import "runtime"

func work() int { return 1 }

func atTheEnd() {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `defer: UnlockOSThread at the end of atTheEnd is not deferred`
	work()
	runtime.UnlockOSThread()
}

func withResult() int {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `UnlockOSThread at the end of withResult is not deferred`
	n := work()
	runtime.UnlockOSThread()
	return n
}

func beforeMoreWork() int {
	// errno is the thread's.
	runtime.LockOSThread()
	work()
	runtime.UnlockOSThread()
	return work()
}

func everyTurn() {
	for range 3 {
		// errno is the thread's.
		runtime.LockOSThread()
		work()
		runtime.UnlockOSThread()
	}
}

func nothingBetween() {
	// Makes the runtime start the thread that starts others.
	runtime.LockOSThread()
	runtime.UnlockOSThread()
}

func explained() {
	// errno is the thread's.
	runtime.LockOSThread()
	work()
	// Unlocked by hand, for the hot path.
	runtime.UnlockOSThread()
}
