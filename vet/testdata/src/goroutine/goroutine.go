package goroutine

import (
	"net"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

func dials(ns netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = netns.Set(ns)
	go func() { // want `goroutine: this goroutine does not run on the thread that netns.Set changed: line 17 runs in other namespaces`
		_, _ = net.Dial("tcp", "127.0.0.1:1")
	}()
	go list() // want `line 22 runs in other namespaces`
}

func list() { _, _ = netlink.LinkList() }

func entersItself(ns netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = netns.Set(ns)
	go func() {
		// The namespace is the thread's.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_ = netns.Set(ns)
		_, _ = net.Dial("tcp", "127.0.0.1:1")
	}()
}

func needsNothing(ns netns.NsHandle, done chan bool) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = netns.Set(ns)
	go func() { close(done) }()
}

func before(ns netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	go list()
	_ = netns.Set(ns)
}
