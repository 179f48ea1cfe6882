package setup

import (
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func start(ns netns.NsHandle) {
	go func() {
		_ = netns.Set(ns) // want `setup: netns.Set before LockOSThread`
		// The namespace is the thread's.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}()
	go pin()
}

func pin() {
	var cpus unix.CPUSet
	_ = unix.SchedSetaffinity(0, &cpus) // want `unix.SchedSetaffinity before LockOSThread`
	// The affinity is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
}

func right(ns netns.NsHandle) {
	go func() {
		// The namespace is the thread's.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		old, _ := netns.Get()
		_ = netns.Set(ns)
		_ = netns.Set(old)
	}()
}

// Whoever calls Exported may have locked.
func Exported(ns netns.NsHandle) {
	_ = netns.Set(ns)
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
}
