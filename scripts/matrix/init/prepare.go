package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/scripts/matrix/plan"
)

// mounts in order; those marked optional may be missing from a kernel's configuration or refused by
// its lockdown level.
var mounts = []struct {
	kind, at string
	optional bool
}{
	{"proc", "/proc", false},
	{"sysfs", "/sys", false},
	{"devtmpfs", "/dev", false},
	{"tmpfs", "/tmp", false},
	{"bpf", "/sys/fs/bpf", false},
	{"cgroup2", "/sys/fs/cgroup", false},
	{"tracefs", "/sys/kernel/tracing", true},
	{"debugfs", "/sys/kernel/debug", true},
	{"securityfs", "/sys/kernel/security", true},
}

// prepare makes the guest look like a machine that has booted, and prints the kernel's release and
// mode of preemption.
func prepare() error {
	for _, m := range mounts {
		// sysfs, bpf and the like bring their mount points with them; MkdirAll is for those in the
		// initramfs itself.
		if err := os.MkdirAll(m.at, 0o755); err != nil && !m.optional {
			return fmt.Errorf("make %s: %w", m.at, err)
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			if !m.optional {
				return fmt.Errorf("mount %s at %s: %w", m.kind, m.at, err)
			}
			printLine(fmt.Sprintf("mount %s at %s: %v", m.kind, m.at, err))
		}
	}
	// Cgroups below the root can have limits of their own only where that is switched on.
	for _, controller := range []string{"+cpu", "+cpuset"} {
		if err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte(controller), 0); err != nil {
			printLine(fmt.Sprintf("switch on %s in cgroups: %v", controller, err))
		}
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	printLine(plan.Kernel(unix.ByteSliceToString(name.Release[:])))
	if modes, err := os.ReadFile("/sys/kernel/debug/sched/preempt"); err == nil { // since 5.13; the mode in use is in ()
		printLine("preemption: " + strings.TrimSpace(string(modes)))
	}
	return quietConsole()
}

// quietConsole keeps kernel messages out of the programs' output. A panic or an oops raises the
// level again by itself (console_verbose in kernel/panic.c), so that what matters for a dead guest
// is still seen.
func quietConsole() error {
	if err := os.WriteFile("/proc/sys/kernel/printk", []byte("1"), 0); err != nil {
		return fmt.Errorf("lower console log level: %w", err)
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}
