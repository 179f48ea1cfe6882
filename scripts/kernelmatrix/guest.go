package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// boot runs one guest to its end or until timeout and leaves everything its console said in log. How the guest fared is
// for parseLog to say: the emulator's own status means nothing, and an error is only returned when it did not run.
func boot(ctx context.Context, image, initramfs, cmdline, log string, timeout time.Duration) error {
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		// thread=single: with a host thread per CPU, attaching and detaching tracepoints crashes or hangs the guest.
		"-M", "q35", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-kernel", image, "-initrd", initramfs,
		"-append", "console=ttyS0 quiet loglevel=4 panic=-1 rcupdate.rcu_expedited=1 "+cmdline)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); ctx.Err() != nil {
		fmt.Fprintf(f, "\nkilled after %v\n", timeout)
	} else if err != nil {
		return fmt.Errorf("run emulator: %w (see %s)", err, log)
	}
	return nil
}
