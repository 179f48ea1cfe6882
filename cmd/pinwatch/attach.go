package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/observe/windowreport"
)

func attachCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "attach",
		Usage:     "observe a running process and report what its threads cost",
		Category:  "observe",
		ArgsUsage: "[PID]",
		Description: `Without -d it observes until Ctrl-C or until the process ends. The final report is printed in both
cases.

Examples:
  sudo pinwatch attach 4242 -d 10
  sudo pinwatch attach -p $(pidof renderd) -i 1
  sudo pinwatch attach -p 4242 -d 1m --out report.json
  sudo pinwatch attach -p 4242 -i 5 -o ndjson | jq .counts
  sudo pinwatch attach -p 4242 -d 1m -q --fail-on warn,loss    for CI: 3 a finding, 4 records lost
  sudo pinwatch attach -p 4242 --light

It needs CAP_BPF, CAP_PERFMON and CAP_DAC_READ_SEARCH, and CAP_SYS_PTRACE for other users' processes.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "pid", Aliases: []string{"p"}, Usage: "`PID` of the process"},
			&cli.StringFlag{Name: "duration", Aliases: []string{"d"},
				Usage: "observe for `TIME`, for instance 10 (seconds) or 5m (default: until Ctrl-C)"},
			offsetsFlag(),
			goVersionFlag(),
		}, observeFlags()...),
		Before:          onlyFlagsAndPID,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			o, err := parseOptions(c, "")
			if err != nil {
				return err
			}
			if o.observe.PID, err = parsePID(c.String("pid")); err != nil {
				return err
			}
			return attach(c.Context, s, o)
		},
	}
}

// attach observes one process and writes its report.
func attach(ctx context.Context, s streams, o options) (err error) {
	out, err := openOutput(s, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // events cost no allocation, so a small heap costs few collections
	}
	if o.quiet {
		s.err = io.Discard
	}
	progress := newProgress(s, o.observe)
	cfg := o.observe
	cfg.OnLimit = func(reason string) { fmt.Fprintln(s.err, "pinwatch:", reason) }
	cfg.OnBegin = func() error {
		err := makeReadyFile(o.readyFile)
		if err == nil && o.begin != nil {
			err = o.begin()
		}
		return err
	}
	cfg.OnWindow = func(w *observe.Window) error { return out.interval(windowreport.New(versionString(), w)) }
	cfg.OnProgress = progress.tick
	whole, err := observe.Run(ctx, cfg)
	progress.done()
	if whole != nil {
		r := windowreport.New(versionString(), whole)
		err = cmp.Or(errors.Join(err, out.final(r, o.verbose)), o.failed(r))
	}
	return namedFlag(err)
}

// namedFlag puts the flag in front of an error about a field of observe.Config.
func namedFlag(err error) error {
	var option *observe.OptionError
	if errors.As(err, &option) {
		return fmt.Errorf("--%s: %w", option.Option, option.Err)
	}
	return err
}
