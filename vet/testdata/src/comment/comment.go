package comment

import "runtime"

func bare() {
	runtime.LockOSThread() //vet:test // want `comment: LockOSThread without a comment that gives the reason`
	defer runtime.UnlockOSThread()
}

func onlyDirective() {
	//nolint:all
	runtime.LockOSThread() //vet:test // want `LockOSThread without a comment that gives the reason`
	defer runtime.UnlockOSThread()
}

func farAwayAboutSomethingElse() {
	// Numbers begin at one.
	x := 1
	x++
	runtime.LockOSThread() //vet:test // want `LockOSThread without a comment that gives the reason`
	defer runtime.UnlockOSThread()
	_ = x
}

// sum adds.
func docAboutSomethingElse() {
	x := 1
	x++
	runtime.LockOSThread() //vet:test // want `LockOSThread without a comment that gives the reason`
	defer runtime.UnlockOSThread()
	_ = x
}

// query asks in the namespace of a table, which it locks.
func docAboutAnotherLock() {
	x := 1
	x++
	runtime.LockOSThread() //vet:test // want `LockOSThread without a comment that gives the reason`
	defer runtime.UnlockOSThread()
	_ = x
}

func above() {
	// The library keeps its errors per thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
}

func beside() {
	runtime.LockOSThread() // errno is per thread
	defer runtime.UnlockOSThread()
}

func below() {
	runtime.LockOSThread()
	// errno is per thread.
	defer runtime.UnlockOSThread()
}

func aFewLinesUp() {
	// What follows has to stay on one thread.
	x := 1
	x++
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = x
}

// inDoc keeps to one thread, since errno is the thread's.
func inDoc() {
	x := 1
	x++
	x *= 2
	x *= 3
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = x
}

func overTheGoroutine() {
	// A goroutine with a thread of its own: errno.
	go func() {
		x := 1
		x++
		x *= 2
		x *= 3
		x *= 4
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_ = x
	}()
}
