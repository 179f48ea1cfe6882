package loop

import "runtime"

func work() {}

func addsUp(n int) {
	for range n {
		// errno is the thread's.
		runtime.LockOSThread() //vet:test // want `loop: LockOSThread in a loop that does not unlock in each iteration`
		work()
	}
	runtime.UnlockOSThread()
}

func defers(n int) {
	for range n {
		// errno is the thread's.
		runtime.LockOSThread() //vet:test // want `loop: LockOSThread in a loop, with an unlock that is deferred to the function's end`
		defer runtime.UnlockOSThread()
		work()
	}
}

func continues(items []int) {
	for _, item := range items {
		// errno is the thread's.
		runtime.LockOSThread() //vet:test // want `in a loop that does not unlock in each iteration`
		if item == 0 {
			continue
		}
		runtime.UnlockOSThread()
	}
}

func everyTurn(n int) {
	for range n {
		// errno is the thread's.
		runtime.LockOSThread()
		work()
		runtime.UnlockOSThread()
	}
}

func goroutines(n int) {
	for range n {
		// errno is the thread's.
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			work()
		}()
	}
}

func lastTurn(n int) {
	for i := range n {
		if i == n-1 {
			// errno is the thread's.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			break
		}
	}
}

func asDeepAsItWasLocked(depth int) {
	for range depth {
		// errno is the thread's.
		runtime.LockOSThread()
	}
	work()
	for range depth {
		runtime.UnlockOSThread()
	}
}
