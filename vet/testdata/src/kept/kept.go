package kept

import (
	"context"
	"errors"
	"net"
	"runtime"
	"syscall"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func never(cpu int) error {
	// The affinity is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set) // want `cleanup: unix.SchedSetaffinity changes the affinity of the thread, and never unlocks the thread in line 21 without putting it back`
}

func two(cpu int, fn func()) {
	// The affinity is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set unix.CPUSet
	if err := unix.SchedSetaffinity(0, &set); err != nil { // want `changes the affinity of the thread, and two unlocks`
		panic(err)
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 5); err != nil { // want `changes the niceness`
		panic(err)
	}
	fn()
}

func mounts() error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil { // want `changes the mount namespace and working directory and umask of the thread, and mounts unlocks the thread in line 45 `
		return err
	}
	return unix.Mount("tmpfs", "/run")
}

func onSuccess(fd, old int) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil { // want `cleanup: unix.Setns changes the network namespace of the thread, and onSuccess puts it back on some paths only: it unlocks a changed thread in line 56,`
		return err
	}
	if _, err := net.Interfaces(); err != nil {
		return err
	}
	return unix.Setns(old, unix.CLONE_NEWNET)
}

func explicit(ns netns.NsHandle) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	old, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	if err := netns.Set(ns); err != nil { // want `explicit puts it back on some paths only: it unlocks a changed thread in line 74,`
		runtime.UnlockOSThread()
		return err
	}
	if _, err := net.Interfaces(); err != nil {
		runtime.UnlockOSThread() // not put back
		return err
	}
	err = netns.Set(old)
	runtime.UnlockOSThread() // unlock early
	return err
}

func throughFunction(fd int) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := enter(fd); err != nil { // want `enter changes the network namespace of the thread, and throughFunction unlocks`
		return
	}
	work()
}

func enter(fd int) error { return unix.Setns(fd, unix.CLONE_NEWNET) }

func work() {}

func newNamespace() {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _ = netns.New() // want `netns.New changes the network namespace`
	_, _ = netns.New()
}

func deferredTooLate() {
	// The namespace is the thread's.
	runtime.LockOSThread()
	old, _ := netns.Get()
	defer netns.Set(old) // want `cleanup: deferred, netns.Set runs after the UnlockOSThread of line 111`
	_, _ = netns.New()
	work()
	runtime.UnlockOSThread() // unlock early
	work()
}

// From here on nothing is to be reported.

func deferredRestore(fd, old int) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return err
	}
	defer unix.Setns(old, unix.CLONE_NEWNET)
	_, err := net.Interfaces()
	return err
}

func deferredBefore(ns netns.NsHandle) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _ := netns.Get()
	defer func() { _ = netns.Set(old) }()
	return netns.Set(ns)
}

func inOneLiteral(fd, old int) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer func() {
		if unix.Setns(old, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return unix.Setns(fd, unix.CLONE_NEWNET)
}

func everyPath(fd, old int) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := unix.Setns(fd, unix.CLONE_NEWNET)
	if err != nil {
		return err
	}
	if _, err := net.Interfaces(); err != nil {
		_ = unix.Setns(old, unix.CLONE_NEWNET)
		return err
	}
	return unix.Setns(old, 0)
}

func keepsLocked(fd, old int) error {
	// The thread dies if it can't be restored.
	runtime.LockOSThread()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := unix.Setns(old, unix.CLONE_NEWNET); err != nil {
		return err
	}
	runtime.UnlockOSThread()
	return nil
}

func forGood(fd int) {
	go func() {
		// The thread dies with the goroutine.
		runtime.LockOSThread()
		_ = unix.Setns(fd, unix.CLONE_NEWNET)
	}()
}

func several(handles []netns.NsHandle) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, err := netns.Get()
	if err != nil {
		return err
	}
	for _, h := range handles {
		if err := netns.Set(h); err != nil {
			return errors.Join(err, netns.Set(old))
		}
	}
	return netns.Set(old)
}

func optional(fd, old int, inside bool) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if inside {
		_ = unix.Setns(fd, unix.CLONE_NEWNET)
	}
	work()
	if inside {
		_ = unix.Setns(old, unix.CLONE_NEWNET)
	}
}

func optionalDeferred(fd, old int, inside bool) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if inside {
		_ = unix.Setns(fd, unix.CLONE_NEWNET)
		defer unix.Setns(old, unix.CLONE_NEWNET)
	}
	work()
}

func returnedFunction(fd int) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	leave, err := visit(fd)
	if err != nil {
		return err
	}
	defer leave()
	work()
	return nil
}

func visit(fd int) (func(), error) {
	err := unix.Setns(fd, unix.CLONE_NEWNET)
	return func() { _ = unix.Setns(3, unix.CLONE_NEWNET) }, err
}

func throughMethods(s *session) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s.begin()
	defer s.end()
	work()
}

type session struct{ old netns.NsHandle }

func (s *session) begin() {
	s.old, _ = netns.Get()
	_, _ = netns.New()
}

func (s *session) end() { _ = netns.Set(s.old) }

func interfaces(h ns.NetNS) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _ := ns.GetCurrentNS()
	_ = h.Set()
	work()
	_ = old.Set()
}

func onlyIfPutBack(fd int, reversible bool) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer func() {
		if reversible {
			runtime.UnlockOSThread() // else the thread ends
		}
	}()
	if reversible {
		defer func() { reversible = unix.Setns(fd, 0) == nil }()
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	work()
	return nil
}

func reversibleOnly(fd int, reversible bool) error {
	// The thread ends if it can't be restored.
	runtime.LockOSThread()
	if reversible {
		defer func() {
			if reversible {
				runtime.UnlockOSThread()
			}
		}()
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	work()
	return nil
}

func onlyOnSuccess(fd, other int) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	if err := thereAndBack(fd, other); err == nil {
		runtime.UnlockOSThread() // else the thread ends
	}
	work()
}

func thereAndBack(fd, other int) error {
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return err
	}
	if _, err := net.Interfaces(); err != nil {
		return err
	}
	return unix.Setns(other, unix.CLONE_NEWNET)
}

func restoresInLoop(fd int) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var restores []func()
	restore, _ := visit(fd)
	restores = append(restores, restore)
	for _, restore := range restores {
		restore()
	}
}

func synchronized() {
	// no_new_privs is the thread's until seccomp gives it to all.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_SECCOMP, 1, unix.SECCOMP_FILTER_FLAG_TSYNC, 0)
}

func threadName() {
	// The name is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_NAME, 0, 0, 0, 0)
}

func executes(fd int) error {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return err
	}
	return syscall.Exec("/bin/true", nil, nil)
}

// What cancels a context puts nothing back.
func canceled(fd int) {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_ = unix.Setns(fd, unix.CLONE_NEWNET) // want `cleanup: unix.Setns changes the network namespace`
	<-ctx.Done()
}
