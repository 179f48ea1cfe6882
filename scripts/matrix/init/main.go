// Init is process 1 of a guest of the kernel matrix. It mounts the file systems that BPF programs
// and their tests need, runs the steps of plan.Path, prints each one's exit code on the console,
// and reboots, which ends the emulator.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/scripts/matrix/plan"
)

func main() {
	if os.Getpid() != 1 {
		os.Exit(runPlan())
	}
	code := 1
	if err := prepare(); err != nil {
		printLine("prepare guest: " + err.Error())
	} else if code, err = superviseSelf(); err != nil {
		printLine("run plan: " + err.Error())
	}
	printLine(plan.Exit(code))
	// The console's driver buffers up to a page, which a reboot would throw away.
	_ = unix.IoctlSetInt(int(os.Stdout.Fd()), unix.TCSBRK, 1)
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// printLine prints a line that begins in the first column, whatever a program left on the console.
func printLine(line string) { fmt.Print("\n" + line + "\n") }

// superviseSelf runs the plan in a child and reaps every orphan meanwhile: a test that waits for
// the end of a killed process must not find its zombie.
func superviseSelf() (code int, err error) {
	child, err := os.StartProcess("/init", []string{"/init"}, &os.ProcAttr{
		// The kernel passes what it does not know on its command line to process 1 as variables.
		Env: append(plan.Env[:len(plan.Env):len(plan.Env)], plan.OnlyTests+"="+os.Getenv(plan.OnlyTests),
			plan.SkipTests+"="+os.Getenv(plan.SkipTests)),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return 1, err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 1, fmt.Errorf("wait: %w", err)
		case pid == child.Pid && status.Exited():
			return status.ExitStatus(), nil
		case pid == child.Pid:
			return 1, fmt.Errorf("killed by %v", status.Signal())
		}
	}
}

// runPlan runs every step and returns 0 when all of them exited 0, otherwise 1.
func runPlan() int {
	raw, err := os.ReadFile(plan.Path)
	if err != nil {
		printLine("read plan: " + err.Error())
		return 1
	}
	var steps []plan.Step
	if err := json.Unmarshal(raw, &steps); err != nil {
		printLine("parse plan: " + err.Error())
		return 1
	}
	code := 0
	for _, s := range steps {
		selectTests(s.Argv)
		printLine(plan.Begin(s.Name))
		exit := runStep(s)
		if exit != 0 {
			code = 1
		}
		printLine(plan.End(s.Name, exit))
	}
	printKernelWarnings()
	return code
}

// selectTests changes the tests that a step runs to those that the guest's command line wants.
func selectTests(argv []string) {
	only, skip := os.Getenv(plan.OnlyTests), os.Getenv(plan.SkipTests)
	for i, arg := range argv {
		switch {
		case only != "" && strings.HasPrefix(arg, plan.TestsFlag):
			argv[i] = plan.TestsFlag + only
		case skip != "" && strings.HasPrefix(arg, plan.SkipFlag):
			argv[i] += "|" + skip
		}
	}
}

// console hides the terminal behind an io.Writer: os/exec then gives the program a pipe, and the
// program writes for a log rather than for a terminal.
type console struct{}

func (console) Write(p []byte) (int, error) { return os.Stdout.Write(p) }

// runStep runs one step to its end or its timeout and returns its exit code, or plan.Killed.
func runStep(s plan.Step) int {
	ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = console{}, console{}
	var document bytes.Buffer
	if s.Document {
		cmd.Stdout = &document
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	if s.Grace > 0 {
		cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, s.Grace
	}

	err := cmd.Run()
	_, _ = document.WriteTo(os.Stdout)
	var exited *exec.ExitError
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && cmd.ProcessState.Exited(): // by the interrupt
		return cmd.ProcessState.ExitCode()
	case ctx.Err() != nil:
		printLine(fmt.Sprintf("%s: killed after %v", s.Name, s.Timeout))
	case errors.As(err, &exited) && exited.Exited():
		return exited.ExitCode()
	default:
		printLine(s.Name + ": " + err.Error())
	}
	return plan.Killed
}

// printKernelWarnings prints what the kernel logged at level warning or worse, which quietConsole
// kept off the console.
func printKernelWarnings() {
	buf := make([]byte, 1<<20)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	if err != nil {
		printLine("read kernel log: " + err.Error())
		return
	}
	printLine(plan.Begin("kernel-log"))
	for line := range strings.Lines(string(buf[:n])) {
		if len(line) > 2 && line[0] == '<' && line[1] <= '4' && line[2] == '>' {
			fmt.Print(line)
		}
	}
	printLine(plan.End("kernel-log", 0))
}
