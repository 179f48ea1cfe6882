package unbalanced

import "runtime"

func stray(n int) int {
	runtime.UnlockOSThread() //vet:test // want `elsewhere: UnlockOSThread in stray, which has not locked`
	return n + 1
}

// release unlocks what the caller has locked.
func release(n int) int {
	runtime.UnlockOSThread()
	return n + 1
}

func both() {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
}
