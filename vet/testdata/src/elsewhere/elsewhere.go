package elsewhere

import "runtime"

type context struct{ current bool }

func (c *context) enter() {
	c.current = true
	// OpenGL's context is the thread's.
	runtime.LockOSThread() //vet:test // want `elsewhere: enter leaves its goroutine locked to the thread, and leave unlocks it`
}

func (c *context) leave() {
	c.current = false
	runtime.UnlockOSThread()
}

func handsOutLiteral() func() {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `handsOutLiteral leaves its goroutine locked to the thread, and a function literal that it returns or passes on unlocks it`
	return func() {
		runtime.UnlockOSThread()
	}
}

func handsOutUnlock() func() {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `handsOutUnlock leaves .* the receiver of the unlock function unlocks it`
	return runtime.UnlockOSThread
}

// documented pins its caller, who has to call the function that it returns.
func documented() func() {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

func otherGoroutine() {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	go func() {
		runtime.UnlockOSThread() //vet:test // want `elsewhere: UnlockOSThread on a goroutine that did not lock`
	}()
}
