package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// machine is an architecture's emulator, and its kernels' console.
type machine struct {
	emulator []string
	cpu      string // emulated
	console  string
}

var machines = map[string]machine{
	"amd64": {[]string{"qemu-system-x86_64", "-M", "q35"}, "max", "ttyS0"},
	"arm64": {[]string{"qemu-system-aarch64", "-M", "virt,gic-version=3"}, "cortex-a76", "ttyAMA0"},
}

// processors are the emulator's arguments about the guest's two CPUs. They are the machine's own
// where it has KVM and is of that architecture: times in the guest count then.
func processors(arch string, m machine) []string {
	if arch == runtime.GOARCH && hasKVM() {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	// thread=single: with a host thread per CPU, attaching and detaching tracepoints crashes or
	// hangs the guest.
	return []string{"-accel", "tcg,thread=single", "-cpu", m.cpu}
}

// kvmCreateVM is KVM_CREATE_VM, include/uapi/linux/kvm.h.
const kvmCreateVM = 0xAE01

// hasKVM reports whether this machine makes virtual machines. Some have /dev/kvm and refuse that.
func hasKVM() bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	fd, err := unix.IoctlRetInt(int(f.Fd()), kvmCreateVM)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}

// nodes are two memory nodes with a CPU each.
var nodes = []string{
	"-smp", "2,sockets=2", "-m", "1024",
	"-object", "memory-backend-ram,id=m0,size=512M", "-object", "memory-backend-ram,id=m1,size=512M",
	"-numa", "node,nodeid=0,cpus=0,memdev=m0", "-numa", "node,nodeid=1,cpus=1,memdev=m1",
}

// boot runs one guest to its end or until timeout and writes its console to log, which parseLog
// judges. The emulator's status means nothing. boot returns an error only when the emulator did not
// run.
func boot(ctx context.Context, arch, image, initramfs, cmdline, log string, timeout time.Duration) error {
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := machines[arch]
	argv := slices.Concat(m.emulator, processors(arch, m), nodes, []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", image, "-initrd", initramfs,
		// Mitigations of the emulator's host are no part of the test, and indirect branches cost
		// more with them.
		"-append", "console=" + m.console + " quiet loglevel=4 panic=-1 rcupdate.rcu_expedited=1 mitigations=off " + cmdline})
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); ctx.Err() != nil {
		fmt.Fprintf(f, "\nkilled after %v\n", timeout)
	} else if err != nil {
		return fmt.Errorf("run emulator: %w (see %s)", err, log)
	}
	return nil
}
