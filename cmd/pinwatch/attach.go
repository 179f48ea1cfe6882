package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/observe/windowreport"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/target"
	"github.com/pinwatch/pinwatch/internal/unit"
)

func attachCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "attach",
		Usage:     "observe running processes and report what their threads cost",
		Category:  "observe",
		ArgsUsage: "[PID]",
		Description: `Without -d it observes until Ctrl-C or until the process ends. The final report is printed in both
cases. Of several processes it prints a summary; --out DIR/ has a report of each.

Examples:
  sudo pinwatch attach 4242 -d 10
  sudo pinwatch attach -p $(pidof renderd) -i 1
  sudo pinwatch attach -p 4242 -d 1m --out report.json
  sudo pinwatch attach -p 4242 -i 5 -o ndjson | jq .counts
  sudo pinwatch attach -p 4242 -d 1m -q --fail-on warn,loss    for CI: 3 a finding, 4 records lost
  sudo pinwatch attach -p 4242 --light

Several processes:
  sudo pinwatch attach -p 10,11 -p 12 -d 10                    these
  sudo pinwatch attach --name '^worker' -d 1m                  by the program's name, now and later
  sudo pinwatch attach --cgroup /sys/fs/cgroup/job -d 1m       by cgroup
  sudo pinwatch attach --container web -d 1m --out web/        by container or pod
  sudo pinwatch attach --unit nginx -d 1m                      by systemd unit
  sudo pinwatch attach --all-go -d 10 -o ndjson | jq .target   every Go program of this machine
  sudo pinwatch attach -p 4242 --follow                        one, and what it starts

It needs CAP_BPF, CAP_PERFMON and CAP_DAC_READ_SEARCH, and CAP_SYS_PTRACE for other users' processes.`,
		Flags: slices.Concat(chooseFlags(), followFlags(), []cli.Flag{
			&cli.StringFlag{Name: "duration", Aliases: []string{"d"},
				Usage: "observe for `TIME`, for instance 10 (seconds) or 5m (default: until Ctrl-C)"},
			offsetsFlag(),
			goVersionFlag(),
		}, observeFlags()),
		Before:          onlyFlagsAndPID,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			o, err := parseOptions(c, "")
			if err != nil {
				return err
			}
			g := groupOptions{follow: c.Bool("follow")}
			if err = parseFollow(c, &g); err != nil {
				return err
			}
			var remarks []string
			if g.choice, remarks, err = choice(c); err != nil {
				return err
			}
			if !o.quiet {
				s.remark(remarks)
			}
			if len(g.choice.PIDs) == 1 && !g.follow && !g.choice.Watches() && !isDirectory(o.outFile) {
				o.observe.PID = g.choice.PIDs[0]
				return attach(c.Context, s, o)
			}
			return observeGroup(c.Context, s, o, g)
		},
	}
}

// remark prints what was typed without need: PIDs that are twice in the list.
func (s streams) remark(remarks []string) {
	for i, remark := range remarks {
		if i == mostRepeats {
			remark = unit.Count(len(remarks)-i) + " more PIDs are in the list twice"
		}
		fmt.Fprintln(s.err, "pinwatch:", remark)
		if i == mostRepeats {
			return
		}
	}
}

// attach observes one process and writes its report.
func attach(ctx context.Context, s streams, o options) (err error) {
	chooser, err := target.NewChooser(os.DirFS("/"), target.Choice{PIDs: []int{o.observe.PID}})
	if err != nil {
		return usageOf(err)
	}
	out, err := openOutput(s, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	collectSeldom()
	if o.quiet {
		s.err = io.Discard
	}
	progress := newProgress(s, o.observe)
	cfg := o.observe
	cfg.OnLimit = func(reason error) { fmt.Fprintln(s.err, "pinwatch:", oneLine(reason)) }
	cfg.OnBegin = func() error {
		collectOften()
		err := makeReadyFile(o.readyFile)
		if err == nil && o.begin != nil {
			err = o.begin()
		}
		return err
	}
	place, described := chooser.Describe(cfg.PID)
	made := func(w *observe.Window) *report.Report {
		r := windowreport.New(versionString(), w)
		if described == nil {
			setPlace(&r.Target, &place)
		}
		return r
	}
	cfg.OnWindow = func(w *observe.Window) error { return out.interval(made(w)) }
	cfg.OnProgress = progress.tick
	whole, err := observe.Run(ctx, cfg)
	progress.done()
	if whole != nil {
		r := made(whole)
		err = cmp.Or(errors.Join(err, out.final(r, o.verbose)), o.failed(r))
	}
	return namedFlag(err)
}

// collectSeldom is for the time until the observation begins: what is read then is most of what is ever
// on the heap.
func collectSeldom() { setGCPercent(1000) } // of 4 MiB

// collectOften is for the time after that: events cost no allocation, so a small heap costs few
// collections.
func collectOften() { setGCPercent(50) }

func setGCPercent(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// namedFlag puts the flag in front of an error about a field of observe.Config.
func namedFlag(err error) error {
	var option *observe.OptionError
	if errors.As(err, &option) {
		return fmt.Errorf("--%s: %w", option.Option, option.Err)
	}
	return err
}
