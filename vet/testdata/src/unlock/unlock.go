package unlock

import (
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

func work() {}

func goroutine() {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread() //vet:test // want `unlock: LockOSThread without UnlockOSThread in a function literal in goroutine: the thread is destroyed`
		work()
	}()
}

func stays() {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `LockOSThread without UnlockOSThread in stays: the calling goroutine stays locked`
	work()
}

func startedOnly() {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `in startedOnly: the thread is destroyed`
	work()
}

func start() { go startedOnly() }

// There is no fix here: other goroutines would run in that namespace.
func tainted() {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread() //vet:test // want `LockOSThread without UnlockOSThread .* put the state of the thread back`
		_ = unix.Unshare(unix.CLONE_NEWNET)
	}()
}

func taintedByAnother() {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread() //vet:test // want `LockOSThread without UnlockOSThread`
		enter()
	}()
}

func enter() { _ = unix.Setns(3, unix.CLONE_NEWNET) }

func balanced() {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	work()
}

func inDeferredLiteral() {
	// errno is the thread's.
	runtime.LockOSThread()
	defer func() {
		work()
		runtime.UnlockOSThread()
	}()
	work()
}

func documented() {
	go func() {
		// The namespace can't be left, so the thread has to die with this goroutine.
		runtime.LockOSThread()
		_ = unix.Unshare(unix.CLONE_NEWNET)
	}()
}

func documentedBelow() {
	go func() {
		// errno is the thread's.
		runtime.LockOSThread()
		work()
		// No unlock: see above.
	}()
}

func forLife(jobs chan func()) {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread()
		for {
			(<-jobs)()
		}
	}()
}

func untilExit() {
	// errno is the thread's.
	runtime.LockOSThread()
	work()
	os.Exit(0)
}

// pinned locks the goroutine of its caller, who unlocks it.
func pinned() {
	work()
	runtime.LockOSThread()
}

// What --fix defers would not run while the wait lasts.
func waits(done chan bool) {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread() //vet:test // want `the thread is destroyed .* and the thread is parked while line 117 waits; a deferred unlock does not end that`
		work()
		<-done
	}()
}

func waitsInFunction(done chan bool) {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread() //vet:test // want `while line 125 waits`
		receive(done)
	}()
}

func receive(done chan bool) {
	for range done {
		work()
	}
}

func waitsForOthers(wg *sync.WaitGroup) {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread() //vet:test // want `while line 139 waits`
		wg.Wait()
	}()
}

// The receiver may be gone.
func sends(result chan int) {
	// errno is the thread's.
	go func() {
		runtime.LockOSThread() //vet:test // want `the thread is destroyed .*; defer the unlock`
		result <- 1
	}()
}
