package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// machine is an architecture's emulator, and its kernels' console.
type machine struct {
	emulator []string
	console  string
}

var machines = map[string]machine{
	"amd64": {[]string{"qemu-system-x86_64", "-M", "q35", "-cpu", "max"}, "ttyS0"},
	"arm64": {[]string{"qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a76"}, "ttyAMA0"},
}

// boot runs one guest to its end or until timeout and writes its console to log, which parseLog
// judges. The emulator's status means nothing. boot returns an error only when the emulator did not
// run.
func boot(ctx context.Context, m machine, image, initramfs, cmdline, log string, timeout time.Duration) error {
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	argv := append(m.emulator[:len(m.emulator):len(m.emulator)],
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		// thread=single: with a host thread per CPU, attaching and detaching tracepoints crashes or
		// hangs the guest.
		"-accel", "tcg,thread=single", "-smp", "2", "-m", "1024",
		"-kernel", image, "-initrd", initramfs,
		// Mitigations of the emulator's host are no part of the test, and indirect branches cost
		// more with them.
		"-append", "console="+m.console+" quiet loglevel=4 panic=-1 rcupdate.rcu_expedited=1 mitigations=off "+cmdline)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); ctx.Err() != nil {
		fmt.Fprintf(f, "\nkilled after %v\n", timeout)
	} else if err != nil {
		return fmt.Errorf("run emulator: %w (see %s)", err, log)
	}
	return nil
}
