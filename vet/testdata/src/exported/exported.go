// Package exported changes the state of threads for callers who are out of sight.
package exported

import (
	"runtime"

	"github.com/vishvananda/netns"
)

func PutsBack(ns netns.NsHandle, work func()) error {
	old, err := netns.Get()
	if err != nil {
		return err
	}
	if err := netns.Set(ns); err != nil { //vet:test // want `unlocked: netns.Set changes the thread that PutsBack runs on until line 19`
		return err
	}
	work()
	return netns.Set(old)
}

func Defers(ns netns.NsHandle, work func()) {
	old, _ := netns.Get()
	_ = netns.Set(ns) //vet:test // want `netns.Set changes the thread that Defers runs on until line 25`
	defer netns.Set(old)
	work()
}

// Documented has to be called by a goroutine that is locked to its thread.
func Documented(ns netns.NsHandle, work func()) {
	old, _ := netns.Get()
	_ = netns.Set(ns)
	work()
	_ = netns.Set(old)
}

// Enter is for those who know what they do.
func Enter(ns netns.NsHandle) error { return netns.Set(ns) }

func Locks(ns netns.NsHandle, work func()) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	Known(ns)
}

// Known has a caller that locks.
func Known(ns netns.NsHandle) {
	old, _ := netns.Get()
	_ = netns.Set(ns)
	_ = netns.Set(old)
}
