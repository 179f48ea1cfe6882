package intest

import (
	"runtime"
	"testing"
)

// Helper is for tests: it has a parameter of package testing.
func Helper(t testing.TB) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// CountIn is not.
func CountIn(f func()) float64 {
	return testing.AllocsPerRun(1, func() {
		runtime.LockOSThread() //vet:test // want `LockOSThread without a comment`
		defer runtime.UnlockOSThread()
		f()
	})
}
