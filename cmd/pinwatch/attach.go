package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/loader"
)

func attachCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:     "attach",
		Usage:    "observe a running process and report what its threads cost",
		Category: "observe",
		Description: `Without -d it observes until Ctrl-C or until the process ends; the final report is printed either way.

Examples:
  sudo pinwatch attach -p 4242 -d 10s
  sudo pinwatch attach -p $(pidof renderd) -i 1s
  sudo pinwatch attach -p 4242 -d 1m -o json --out report.json
  sudo pinwatch attach -p 4242 -i 5s -o ndjson | jq .counts
  sudo pinwatch attach -p 4242 --light

It needs CAP_BPF, CAP_PERFMON and CAP_DAC_READ_SEARCH, and CAP_SYS_PTRACE for other users' processes.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "pid", Aliases: []string{"p"}, Usage: "`PID` of the process"},
			&cli.StringFlag{Name: "duration", Aliases: []string{"d"}, Usage: "observe for `TIME`, for instance 10s or 5m (default: until Ctrl-C)"},
			offsetsFlag(),
		}, observeFlags()...),
		Before:          onlyFlagsAndPID,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			o, err := parseOptions(c, "")
			if err != nil {
				return err
			}
			if o.pid, err = parsePID(c.String("pid")); err != nil {
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

	target, err := loader.OpenTarget(o.pid)
	if err != nil {
		return err
	}
	meta, program, err := describe(s, target.PID, o)
	if err != nil {
		return errors.Join(err, target.Close())
	}
	defer program.close()
	var probe *pinProbe
	if o.sites {
		if probe, err = program.pinProbe(); err != nil {
			return errors.Join(err, target.Close())
		}
	}
	session, err := loader.Attach(target, loader.Config{
		RingBytes: o.ringBytes, MaxRate: o.maxRate, ThreadEntries: o.threadEntries, Light: o.light, Aggregate: o.aggregate,
		Runtime: program.info, Calibrate: true, Slow: o.slow,
	})
	if err != nil {
		return errors.Join(err, target.Close())
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	calibration := session.Calibration
	if err := session.CalibrationErr; err != nil {
		meta.Warnings = append(meta.Warnings, "bias_ns is not known: "+oneLine(err))
	} else {
		meta.Warnings = append(meta.Warnings, clockCaveats(*calibration, meta.Host)...)
	}
	ring, err := events.NewRing(session.Ring(), session.Turns(), session.CPUSlots())
	if err != nil {
		return err
	}
	defer ring.Close()
	if probe != nil {
		if err := session.ProbePins(probe.at); err != nil {
			return fmt.Errorf("--sites: %w", err)
		}
	}

	var summed *sums
	if o.aggregate {
		if summed, err = openSums(session); err != nil {
			return err
		}
		defer summed.close()
	}

	topology := host.ReadTopology(os.DirFS("/"))
	w := &windows{out: out, meta: meta, session: session, probe: probe, maxRate: o.maxRate, to: o.whole, calibration: calibration, clocks: readClocks()}
	cfg := program.correlation(&ring.Stacks)
	cfg.TGID, cfg.Distance, cfg.Sites, cfg.Light, cfg.Aggregate = target.TGID, topology.Distance, o.sites, o.light, o.aggregate
	ob := &observer{
		session: session, ring: ring, sums: summed, stats: session.NewStats(), own: session.NewOverhead(calibration), program: program,
		onWindow: w.settled, tee: o.tee, longest: longestWait(session.Buffers.TurnsPerCPU, o.aggregate),
		correlator: correlate.New(cfg),
	}
	w.observer = ob
	if w.begin, err = w.spent(); err != nil {
		return err
	}
	w.last = w.begin
	stop := startStats(ctx, ob.stats)
	progress := newProgress(s, o)
	err = ob.run(ctx, plan{duration: o.duration, interval: o.interval, begun: o.announce, tick: progress.tick})
	progress.done()
	statsErr := stop()
	if err != nil {
		return err
	}
	return w.final(statsErr)
}
