package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/report"
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

It needs CAP_BPF, CAP_PERFMON and CAP_DAC_READ_SEARCH, and CAP_SYS_PTRACE for other users' processes.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "pid", Aliases: []string{"p"}, Usage: "`PID` of the process"},
			&cli.StringFlag{Name: "duration", Aliases: []string{"d"}, Usage: "observe for `TIME`, for instance 10s or 5m (default: until Ctrl-C)"},
		}, observeFlags()...),
		Before: func(c *cli.Context) error {
			if pid := c.String("pid"); strings.HasPrefix(pid, "-") { // before its leftovers are complained of
				return usagef("-p %s: want a PID; does pidof find the process?", pid)
			}
			return noArguments(c)
		},
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
	meta, asyncPreempt, err := describe(s, target.PID)
	if err != nil {
		return errors.Join(err, target.Close())
	}
	session, err := loader.Attach(target, loader.Config{RingBytes: o.ringBytes, HashState: o.hashState})
	if err != nil {
		return errors.Join(err, target.Close())
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	ring, err := events.NewRing(session.Ring())
	if err != nil {
		return err
	}
	defer ring.Close()

	topology := host.ReadTopology(os.DirFS("/"))
	w := &windows{out: out, meta: meta, session: session}
	ob := &observer{
		session: session, ring: ring, stats: session.NewStats(), onWindow: w.settled,
		correlator: correlate.New(correlate.Config{TGID: target.TGID, Distance: topology.Distance, AsyncPreempt: asyncPreempt}),
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

// describe collects what a report says beside the numbers, and warns of what is not to be had.
// The error says that pinwatch would report falsehoods of this process.
func describe(s streams, pid int) (report.Meta, uint64, error) {
	meta := report.Meta{Version: versionString(), Host: host.Read(os.DirFS("/")), Target: report.Target{PID: pid}}
	if !procIsOurs() {
		meta.Warnings = append(meta.Warnings, "kernel side only: /proc is not of this PID namespace, so nothing can be read of the program")
		return meta, 0, nil
	}
	meta.Warnings = condition(pid)
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
		exe = filepath.Base(exe)
		meta.Target.Exe = &exe
	}
	info, err := goruntime.Read(pid)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, os.ErrProcessDone):
		return meta, 0, nil // it has just ended; the report will say so
	case errors.Is(err, goruntime.Err32Bit):
		return meta, 0, fmt.Errorf("process %d is %w: it can't be observed", pid, goruntime.Err32Bit)
	case err != nil:
		meta.Warnings = append(meta.Warnings, fmt.Sprintf("kernel side only: %v", err))
		fmt.Fprintf(s.err, "pinwatch: %s: observing the kernel side only\n", oneLine(err))
		return meta, 0, nil
	}
	meta.Target = targetOf(pid, info)
	if why := info.Unknown["AsyncPreempt"]; why != nil {
		meta.Warnings = append(meta.Warnings, fmt.Sprintf("injected preemptions are not told from others: %v", why))
	}
	return meta, info.AsyncPreempt, nil
}

// condition warns of what makes a process's threads behave unlike themselves.
func condition(pid int) []string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	var warnings []string
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch {
		case name == "State" && strings.HasPrefix(value, "T"):
			warnings = append(warnings, "the process was stopped (SIGSTOP) when the observation began")
		case name == "TracerPid" && value != "0":
			warnings = append(warnings, "the process is traced (ptrace) by process "+value+": its signals and exits wait for the tracer")
		}
	}
	return warnings
}

// procIsOurs says whether /proc shows the PID namespace that this process is in.
func procIsOurs() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

func targetOf(pid int, info *goruntime.Info) report.Target {
	none, exe := "none", filepath.Base(info.Exe)
	t := report.Target{
		PID: pid, Exe: &exe, GoVersion: &info.GoVersion, Cgo: &info.CGO, PIE: &info.PIE, Stripped: &info.Stripped, Offsets: &none,
	}
	if info.GOMAXPROCS > 0 {
		t.GOMAXPROCS = &info.GOMAXPROCS
	}
	return t
}

// windows writes the windows of one observation as they settle.
type windows struct {
	out      *output
	meta     report.Meta
	session  *loader.Session
	observer *observer
	begin    spent // at the start of the observation
	last     spent // at the start of the interval
	whole    *correlate.Result
}

// spent is what pinwatch has used up and missed at one moment, since attach.
type spent struct {
	cpu          cpuUsage
	missed, late uint64
}

func (w *windows) spent() (spent, error) {
	missed, err := w.observer.stats.Missed()
	return spent{cpu: usage(), missed: missed, late: w.observer.order.Late()}, err
}

// settled takes one window. The whole observation is kept until the observer's own cost is known.
func (w *windows) settled(r *correlate.Result) error {
	now, err := w.spent()
	if err != nil {
		return err
	}
	since := w.begin
	if r.Interval {
		since, w.last = w.last, now
	}
	r.Loss.RecursionMisses, r.Loss.Late = now.missed-since.missed, now.late-since.late
	if err := correlate.Validate(r); err != nil {
		r.Warnings = append(r.Warnings, "the numbers contradict each other, which is a defect of pinwatch: "+oneLine(err))
	}
	if !r.Interval {
		w.whole = r
		return nil
	}
	meta := w.about()
	programs, sampled := w.observer.stats.Sum()
	if sampled == 0 {
		programs = nil // refused, or not yet
	}
	meta.Observer = observed(w.session, programs, sampled, now.cpu.since(since.cpu), r)
	return w.out.interval(w.report(meta, r))
}

// about is the meta of a window that ends now.
func (w *windows) about() report.Meta {
	meta := w.meta
	meta.End = time.Now()
	if w.observer.ended {
		how := "ended while it was observed"
		meta.Target.Ended = &how
	}
	return meta
}

func (w *windows) final(statsErr error) error {
	meta := w.about()
	programs, sampled := w.observer.stats.Sum()
	switch {
	case errors.Is(statsErr, fs.ErrPermission):
		programs = nil
		meta.Warnings = append(meta.Warnings, "the kernel gives its BPF statistics only with CAP_SYS_ADMIN: what the programs cost is not known")
	case statsErr != nil:
		programs = nil
		meta.Warnings = append(meta.Warnings, fmt.Sprintf("what the programs cost is not known: %s", oneLine(statsErr)))
	}
	meta.Observer = observed(w.session, programs, sampled, usage().since(w.begin.cpu), w.whole)
	return w.out.final(w.report(meta, w.whole))
}

// report adds what the kernel says now of how each living thread is scheduled.
func (w *windows) report(meta report.Meta, r *correlate.Result) *report.Report {
	rep := report.New(meta, r)
	for i := range rep.Threads {
		if t := &rep.Threads[i]; t.ExitNS == nil && procIsOurs() {
			t.Affinity, t.Nice, t.Policy = scheduling(w.session.Target.PID, t.TID)
		}
	}
	return rep
}
