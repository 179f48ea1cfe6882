package main

import (
	"net/http"
	"runtime"
	"syscall"

	"github.com/vishvananda/netns"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

func init() {
	_ = unix.Unshare(unix.CLONE_NEWNS) // the runtime locks the main goroutine until main begins
}

func main() {
	_ = unix.Setns(3, unix.CLONE_NEWNET) // want `unlocked: unix.Setns changes the thread it runs on, and the goroutine is not locked to it;`
	deep()
	locked()
	go lockedByAnother()
	go started()
	http.HandleFunc("/", serve)
	systemCalls()
	self()
	var g errgroup.Group
	g.Go(func() error {
		return unix.Unshare(unix.CLONE_NEWNET) // want `unix.Unshare changes the thread`
	})
	_ = g.Wait()
}

func deep() { deeper() }

func deeper() {
	_ = netns.Set(3) // want `netns.Set changes the thread .* \(called from main\)`
}

func started() {
	defer netns.Set(4)                                   // want `netns.Set changes the thread`
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) // want `PR_SET_NO_NEW_PRIVS changes the thread`
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)     // the process's
	_ = unix.Capset(nil, nil)                            // want `unix.Capset changes the thread`
}

func serve(w http.ResponseWriter, r *http.Request) {
	_ = unix.Setns(3, unix.CLONE_NEWNET) // want `unix.Setns changes the thread`
}

func systemCalls() {
	unix.RawSyscall(unix.SYS_SETNS, 3, 0, 0)                // want `SYS_SETNS changes the thread`
	unix.RawSyscall(unix.SYS_SETUID, 3, 0, 0)               // want `SYS_SETUID changes the thread`
	unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_NAME, 0, 0) // want `PR_SET_NAME changes the thread`
	unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, 3, 0)   // want `SYS_SCHED_SETSCHEDULER changes the thread`
	unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 1, 3, 0)
	unix.RawSyscall(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, 3) // want `SYS_SETPRIORITY changes the thread`
	unix.RawSyscall(unix.SYS_SETPRIORITY, unix.PRIO_PGRP, 0, 3)
	unix.RawSyscall(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 1, 3)
	unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
	_ = unix.Setuid(3) // every thread's, since Go 1.16
	_ = syscall.Setuid(3)
	_ = syscall.Unshare(0) // want `syscall.Unshare changes the thread`
}

func self() {
	var cpus unix.CPUSet
	_ = unix.SchedSetaffinity(0, &cpus)             // want `unix.SchedSetaffinity changes the thread`
	_ = unix.SchedSetaffinity(unix.Gettid(), &cpus) // want `unix.SchedSetaffinity changes the thread`
	_ = unix.SchedSetaffinity(4242, &cpus)          // another process
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 5)   // want `unix.Setpriority changes the thread`
	_ = unix.Setpriority(unix.PRIO_PGRP, 0, 5)
}

func locked() {
	// The namespace is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = netns.Set(3)
	underLock()
	func() { _ = netns.Set(3) }()
	defer func() { _ = netns.Set(4) }()
}

func lockedByAnother() {
	pin()
	defer restore()
	defer func() { _ = netns.Set(4) }()
	_ = netns.Set(3)
}

// pin leaves its caller pinned, who unlocks.
func pin() {
	_ = netns.NsHandle(0)
	runtime.LockOSThread()
}

func restore() { _ = netns.Set(4) }

// underLock is called by locked alone.
func underLock() { _ = netns.Set(3) }

// apply is passed to unknown callers.
var apply = func() { _ = netns.Set(3) }

func unseen(run func(func() error) error) error {
	return run(func() error { return netns.Set(3) })
}
