package cleanup

import (
	"runtime"

	"github.com/vishvananda/netns"
)

func wrongOrder(ns netns.NsHandle) {
	old, _ := netns.Get() // want `setup: netns.Get before LockOSThread`
	defer netns.Set(old)  // want `cleanup: deferred before the UnlockOSThread of line 14, netns.Set runs after it`
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = netns.Set(ns)
}

func wrongOrderOfLiterals(ns netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	old, _ := netns.Get()
	defer func() { _ = netns.Set(old) }() // want `netns.Set runs after it`
	defer runtime.UnlockOSThread()
	_ = netns.Set(ns)
}

func start(ns netns.NsHandle) {
	go func() {
		// The namespace is the thread's.
		runtime.LockOSThread()
		old, _ := netns.Get()
		_ = netns.Set(ns)
		runtime.UnlockOSThread()
		_ = netns.Set(old) // want `netns.Set after UnlockOSThread`
	}()
}

func rightOrder(ns netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _ := netns.Get()
	defer netns.Set(old)
	_ = netns.Set(ns)
}

func inOne(ns netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	old, _ := netns.Get()
	defer func() {
		if netns.Set(old) == nil {
			runtime.UnlockOSThread()
		}
	}()
	_ = netns.Set(ns)
}
