package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/workload"
)

func demoCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:     "demo",
		Usage:    "start a built-in workload that pins threads, and observe it",
		Category: "observe",
		Description: `The workload has pinned workers that hand off to each other, a pinned spinner, goroutines that
exit while locked (each destroys its thread), and garbage collection. It ends with the observation.

Example:
  sudo pinwatch demo -d 5s`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "duration", Aliases: []string{"d"}, Usage: "observe for `TIME`", DefaultText: "5s"},
		}, observeFlags()...),
		Before:          noArguments,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			o, err := parseOptions(c, "5s")
			if err != nil {
				return err
			}
			return demo(c.Context, s, o)
		},
	}
}

func demo(ctx context.Context, s streams, o options) (err error) {
	child, err := startWorkload("demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, child.stop()) }()
	o.observe.PID = child.cmd.Process.Pid
	return attach(ctx, s, o)
}

// builtin is a workload running as a child. It ends at the end of its stdin, so also when we are
// killed.
type builtin struct {
	cmd   *exec.Cmd
	stdin io.Closer
	rest  chan struct{} // closed when its output has ended
}

func startWorkload(args ...string) (*builtin, error) {
	self, err := os.Executable() // not /proc/self/exe: its threads would be called "exe"
	if err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	cmd := exec.Command(self, append([]string{workloadCommand}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us alone
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	b := &builtin{cmd: cmd, stdin: stdin, rest: make(chan struct{})}
	lines := bufio.NewReader(stdout)
	var ready workload.Ready
	line, err := lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	go func() {
		defer close(b.rest)
		_, _ = io.Copy(io.Discard, lines) // its own account is for tests
	}()
	if err != nil || !ready.Ready {
		return nil, errors.Join(fmt.Errorf("workload did not get ready: %w", err), b.stop())
	}
	return b, nil
}

func (b *builtin) stop() error {
	err := b.stdin.Close()
	<-b.rest
	if err = errors.Join(err, b.cmd.Wait()); err != nil {
		return fmt.Errorf("end workload: %w", err)
	}
	return nil
}
