package closure

import (
	"runtime"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"
)

func do(h ns.NetNS) error {
	return h.Do(func(ns.NetNS) error {
		return unix.Unshare(unix.CLONE_NEWNS) // want `closure: unix.Unshare changes the mount namespace of the thread, and NetNS.Do, which runs this function, puts back the network namespace alone`
	})
}

func withPath(path string) error {
	return ns.WithNetNSPath(path, raise)
}

func raise(ns.NetNS) error {
	return unix.Setpriority(unix.PRIO_PROCESS, 0, -5) // want `closure: unix.Setpriority changes the niceness of the thread, and WithNetNSPath`
}

func throughFunction(h ns.NetNS) error {
	return h.Do(func(ns.NetNS) error {
		bind() // want `closure: bind changes the affinity`
		return nil
	})
}

func bind() {
	var set unix.CPUSet
	_ = unix.SchedSetaffinity(0, &set)
}

// Do puts the network namespace back.
func another(h, other ns.NetNS) error {
	return h.Do(func(ns.NetNS) error { return other.Set() })
}

func putsBack(h ns.NetNS, old int) error {
	return h.Do(func(ns.NetNS) error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		return unix.Setns(old, unix.CLONE_NEWNS)
	})
}

func ends(h ns.NetNS) error {
	return h.Do(func(ns.NetNS) error {
		// The thread ends with Do's goroutine.
		runtime.LockOSThread()
		return unix.Unshare(unix.CLONE_NEWNS)
	})
}
