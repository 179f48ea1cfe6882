package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/workload/client"
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
	child, err := startWorkload(ctx, "demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, child.End()) }()
	o.observe.PID = child.PID
	return attach(ctx, s, o)
}

// startWorkload starts this program as a workload. The workload ends at the end of its stdin, so
// also when this process is killed.
func startWorkload(ctx context.Context, args ...string) (*client.Process, error) {
	self, err := os.Executable() // not /proc/self/exe: its threads would be called "exe"
	if err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	return client.Start(context.WithoutCancel(ctx), client.Options{Program: []string{self, workloadCommand}}, args...)
}
