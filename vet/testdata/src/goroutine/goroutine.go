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
	go func() { // want `goroutine: this goroutine runs on another thread than the one that netns.Set changed: what line 17 does happens outside`
		_, _ = net.Dial("tcp", "127.0.0.1:1")
	}()
	go list() // want `what line 22 does happens outside`
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
