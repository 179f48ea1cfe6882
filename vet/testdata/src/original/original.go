package original

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func opened(fd int) error {
	old, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY, 0) // want `setup: unix.Open before LockOSThread reads the network namespace of a thread that may not be the one that is locked, and line 26 puts it back`
	if err != nil {
		return err
	}
	defer unix.Close(old)
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return err
	}
	defer unix.Setns(old, unix.CLONE_NEWNET)
	_, err = net.Interfaces()
	return err
}

func byTask(fd int) {
	f, _ := os.Open(fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())) // want `setup: os.Open before LockOSThread`
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Setns(fd, unix.CLONE_NEWNET)
	defer func() { _ = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET) }()
}

func current(h ns.NetNS) {
	old, _ := ns.GetCurrentNS() // want `setup: ns.GetCurrentNS before LockOSThread`
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = h.Set()
	_ = old.Set()
}

func cpus(cpu int) {
	var old, set unix.CPUSet
	_ = unix.SchedGetaffinity(0, &old) // want `setup: unix.SchedGetaffinity before LockOSThread reads the affinity`
	set.Set(cpu)
	// The affinity is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer unix.SchedSetaffinity(0, &old)
	_ = unix.SchedSetaffinity(0, &set)
}

// The main thread's namespace is the same whoever reads it.
func process(fd int) {
	old, _ := unix.Open("/proc/self/ns/net", unix.O_RDONLY, 0)
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Setns(fd, unix.CLONE_NEWNET)
	defer unix.Setns(old, unix.CLONE_NEWNET)
}

func underLock(h netns.NsHandle) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _ := netns.Get()
	defer netns.Set(old)
	_ = netns.Set(h)
	inner(h)
}

// inner runs under the lock of underLock.
func inner(h netns.NsHandle) {
	old, _ := netns.Get()
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer netns.Set(old)
	_ = netns.Set(h)
}

// It is only shown, not put back.
func shown(h netns.NsHandle) {
	before, _ := netns.Get()
	fmt.Println(before)
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _ := netns.Get()
	defer netns.Set(old)
	_ = netns.Set(h)
}
