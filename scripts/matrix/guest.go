package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/scripts/matrix/plan"
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

// processors are the emulator's arguments about the guest's two CPUs: the machine's own with KVM, so
// that times in the guest count, or emulated ones.
func processors(m machine, kvm bool) []string {
	if kvm {
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

// kvmFails is set when a guest did not boot with KVM: a hypervisor that runs this machine may let it
// make virtual machines that cannot run a kernel.
var kvmFails atomic.Bool

// kvmBoot is how long a guest with KVM may take to name its kernel. It takes two seconds.
const kvmBoot = time.Minute

// boot runs one guest to its end or until timeout and writes its console to log, which parseLog
// judges. The emulator's status means nothing. boot returns an error only when the emulator did not
// run. A guest that does not boot with KVM is booted again without.
func boot(ctx context.Context, arch, image, initramfs, cmdline, log string, timeout time.Duration) error {
	g := guest{arch: arch, image: image, initramfs: initramfs, cmdline: cmdline, log: log}
	if arch == runtime.GOARCH && hasKVM() && !kvmFails.Load() {
		if booted, err := g.run(ctx, true, timeout); booted || err != nil || ctx.Err() != nil {
			return err
		}
		kvmFails.Store(true)
	}
	_, err := g.run(ctx, false, timeout)
	return err
}

type guest struct{ arch, image, initramfs, cmdline, log string }

// run runs the guest once. booted is false for one with KVM that was killed because it did not name
// its kernel.
func (g guest) run(ctx context.Context, kvm bool, timeout time.Duration) (booted bool, err error) {
	f, err := os.Create(g.log)
	if err != nil {
		return false, err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := machines[g.arch]
	argv := slices.Concat(m.emulator, processors(m, kvm), nodes, []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", g.image, "-initrd", g.initramfs,
		// Mitigations of the emulator's host are no part of the test, and indirect branches cost
		// more with them.
		"-append", "console=" + m.console +
			" quiet loglevel=4 panic=-1 rcupdate.rcu_expedited=1 mitigations=off " + g.cmdline})
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("run emulator: %w", err)
	}
	var dead atomic.Bool
	if kvm {
		go g.watch(ctx, func() {
			dead.Store(true)
			cancel()
		})
	}
	switch err := cmd.Wait(); {
	case dead.Load():
		return false, nil
	case ctx.Err() != nil:
		fmt.Fprintf(f, "\nkilled after %v\n", timeout)
	case err != nil && !kvm:
		return false, fmt.Errorf("run emulator: %w (see %s)", err, g.log)
	case err != nil:
		return false, nil // QEMU cannot use KVM
	}
	return true, nil
}

// watch calls fail when the guest has not named its kernel in time, or KVM gave up. It ends with ctx.
func (g guest) watch(ctx context.Context, fail func()) {
	begin := time.Now()
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		text, _ := os.ReadFile(g.log)
		switch {
		case strings.Contains(string(text), plan.Kernel("")):
			return
		case strings.Contains(string(text), "KVM internal error") || time.Since(begin) > kvmBoot:
			fail()
			return
		}
	}
}
