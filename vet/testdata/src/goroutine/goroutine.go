package goroutine

import (
	"net"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

func dials(ns, old netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = netns.Set(ns)
	defer netns.Set(old)
	go func() { // want `goroutine: this goroutine does not run on the thread that netns.Set changed: line 18 runs in other namespaces`
		_, _ = net.Dial("tcp", "127.0.0.1:1")
	}()
	go list() // want `line 23 runs in other namespaces`
}

func list() { _, _ = netlink.LinkList() }

func entersItself(ns, old netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = netns.Set(ns)
	defer netns.Set(old)
	go func() {
		// The namespace is the thread's.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_ = netns.Set(ns)
		defer netns.Set(old)
		_, _ = net.Dial("tcp", "127.0.0.1:1")
	}()
}

func needsNothing(ns, old netns.NsHandle, done chan bool) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = netns.Set(ns)
	defer netns.Set(old)
	go func() { close(done) }()
}

func before(ns, old netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	go list()
	_ = netns.Set(ns)
	defer netns.Set(old)
}
