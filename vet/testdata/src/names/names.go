// Package names has LockOSThread under other names.
package names

import rt "runtime"

func work() {}

func renamed() {
	// errno is the thread's.
	go func() {
		rt.LockOSThread() //vet:test // want `LockOSThread without UnlockOSThread`
		work()
	}()
}

var lockThread, unlockThread = rt.LockOSThread, rt.UnlockOSThread

func byVariable() {
	// errno is the thread's.
	lockThread() //vet:test // want `LockOSThread without UnlockOSThread in byVariable`
	work()
}

func balancedByVariables() {
	// errno is the thread's.
	lockThread()
	defer unlockThread()
	work()
}

func byLocalVariable() {
	lock := rt.LockOSThread
	// errno is the thread's.
	lock() //vet:test // want `LockOSThread without UnlockOSThread in byLocalVariable`
	work()
}

func unknown(other bool) {
	lock := rt.LockOSThread
	if other {
		lock = work
	}
	lock()
}

// errno pins the calling goroutine, because errno is the thread's.
func errno() { rt.LockOSThread() }

func undocumented() {
	rt.LockOSThread() //vet:test // want `comment: LockOSThread without a comment`
}

func byUndocumented() {
	undocumented()
	defer rt.UnlockOSThread()
	work()
}

func byWrapper() {
	errno() //vet:test // want `LockOSThread without UnlockOSThread in byWrapper`
	work()
}

func balancedByWrapper() {
	errno()
	defer rt.UnlockOSThread()
	work()
}

// thread is a place for methods.
type thread struct{}

// pin pins the calling goroutine.
func (thread) pin() { rt.LockOSThread() }

func byMethodValue(t thread) {
	pin := t.pin
	pin() //vet:test // want `LockOSThread without UnlockOSThread in byMethodValue`
	work()
}

type mock struct{}

// LockOSThread is not the runtime's.
func (mock) LockOSThread() {}

func anotherLock(m mock) { m.LockOSThread() }
