package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/observe/windowreport"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/summary"
	"github.com/pinwatch/pinwatch/internal/target"
	"github.com/pinwatch/pinwatch/internal/unit"
	"github.com/pinwatch/pinwatch/loader"
)

// groupOptions are about which processes are observed.
type groupOptions struct {
	choice     target.Choice
	follow     bool
	only, skip []*regexp.Regexp            // of followed programs' names
	start      func() (pid int, err error) // of the command that run starts; nil = another command of pinwatch
}

// followFlags choose among the processes that targets start.
func followFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "only", Value: &values{},
			Usage: "of the programs that are started, observe those with `REGEX` in their name; may be repeated"},
		&cli.GenericFlag{Name: "skip", Value: &values{},
			Usage: "of the programs that are started, leave out those with `REGEX` in their name; may be repeated"},
	}
}

func parseFollow(c *cli.Context, g *groupOptions) (err error) {
	for name, list := range map[string]*[]*regexp.Regexp{"only": &g.only, "skip": &g.skip} {
		if *list, err = target.ParseNames(name, valuesOf(c, name)); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// wants reports whether --only and --skip allow a program.
func (g *groupOptions) wants(exe string) bool {
	in := func(list []*regexp.Regexp) bool {
		return slices.ContainsFunc(list, func(re *regexp.Regexp) bool { return re.MatchString(exe) })
	}
	return (len(g.only) == 0 || in(g.only)) && !in(g.skip)
}

// group observes several processes.
type group struct {
	streams
	o        options
	g        groupOptions
	out      groupWriter
	progress *progress
	repeats  *repeats
	targets  int     // now
	pid      int     // of the command; 0 = none
	single   *output // for the report of the only process; nil with a directory
	sum      *summary.Summary

	mu      sync.Mutex // of the next two: processes are asked about on any goroutine
	chooser *target.Chooser
	places  map[int]target.Process // of targets, by PID
	// Processes that ended before their cgroups were read. Whether they were meant is not known.
	unplaced uint64

	observed int
	full     bool // there was no room for a process
	// The report of the only process so far, where several would be shown in another form.
	only *report.Report
	// The command, if it is no Go program: shown if nothing else is observed.
	command *summary.Process
	failed  bool
	over    error // by --fail-on
}

// observeGroup observes processes and writes their reports and a summary.
func observeGroup(ctx context.Context, s streams, o options, g groupOptions) (err error) {
	if err := checkGroup(&o, g); err != nil {
		return err
	}
	if o.observe.Offsets != "" { // else each process has the same error
		if _, err := offsets.ReadTable(o.observe.Offsets); err != nil {
			return fmt.Errorf("--offsets: %w", err)
		}
	}
	r := &group{streams: s, o: o, g: g, sum: summary.New(), places: map[int]target.Process{}}
	if r.chooser, err = target.NewChooser(os.DirFS("/"), g.choice); err != nil {
		return usageOf(err)
	}
	if pids := g.choice.PIDs; g.start == nil && !r.chooser.Watches() && !slices.ContainsFunc(pids, r.chooser.Alive) {
		return fmt.Errorf("-p: none of these processes exists, or all have ended: %v", pids)
	}
	closeOutput, err := r.openOutput(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeOutput()) }()
	collectSeldom()
	if o.quiet {
		r.err = io.Discard
	}
	r.repeats = &repeats{print: r.say}
	all, err := observe.RunGroup(ctx, r.config())
	r.progress.done()
	r.repeats.rest()
	if err == nil {
		err = r.finish(all)
	}
	switch {
	case err != nil:
		return namedFlag(err)
	case r.failed:
		return status(exitError)
	}
	return r.over
}

// checkGroup refuses what is for one process only.
func checkGroup(o *options, g groupOptions) error {
	switch {
	case o.observe.Aggregate:
		return usagef("--aggregate sums in the kernel what one process does: leave it out for several")
	case o.observe.GoVersion != "" && g.start == nil:
		return usagef("--go-version is the release of one program: observe that one alone with it")
	case !o.intervalGiven:
		o.observe.Interval = 0 // ndjson's default is for one process
	case g.start == nil && o.format != "ndjson":
		return usagef("-i: lines do not name their process; with several use -o ndjson, or observe one")
	}
	return nil
}

// usageOf is the error of a choice.
func usageOf(err error) error {
	var choice *target.ChoiceError
	if errors.As(err, &choice) {
		return usageError{err}
	}
	return err
}

func (r *group) config() observe.GroupConfig {
	cfg := observe.GroupConfig{Config: r.o.observe, PIDs: r.g.choice.PIDs, Follow: r.g.follow, Watch: r.chooser.Watches(),
		Want: r.want, OnTarget: r.target, OnSkipped: r.skipped, OnProblem: r.problem}
	if start := r.g.start; start != nil {
		cfg.Command = func() (pid int, err error) {
			r.pid, err = start()
			return r.pid, err
		}
	}
	if cfg.Watch {
		cfg.Find = r.find
		if waits := r.chooser.Waits(); waits != "" {
			cfg.OnIdle = func() { r.say("%s", waits) }
		}
	}
	own := r.o.observe
	own.NotBegun = r.g.start != nil
	r.progress = newProgress(r.streams, own)
	cfg.OnProgress = r.progress.tick
	cfg.OnCount = func(targets int) { r.targets, r.progress.what = targets, unit.Processes(targets) }
	if r.o.observe.Interval > 0 {
		cfg.OnWindow = r.interval
	}
	cfg.OnBegin = func() error {
		collectOften()
		if r.chooser.Watches() && r.targets > 0 {
			r.say("observing %s, and those to come", r.progress.what)
		}
		err := makeReadyFile(r.o.readyFile)
		if err == nil && r.o.begin != nil {
			err = r.o.begin()
		}
		return err
	}
	if r.g.start == nil { // else it may be a shell, which is only followed
		cfg.OnLimit = r.limit
	}
	return cfg
}

// want judges a process that may become a target.
func (r *group) want(c observe.Candidate) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Followed && !r.g.wants(c.Exe) {
		return false
	}
	if c.Ended {
		return c.Followed || r.wantEnded(c.Exe)
	}
	place, chosen := r.chooser.Matches(c.PID)
	switch {
	case chosen:
	case c.Followed || c.Named:
		place, _ = r.chooser.Describe(c.PID) // it may have ended
	default:
		return !r.chooser.Alive(c.PID) && r.wantEnded(c.Exe)
	}
	r.places[c.PID] = place
	return true
}

// wantEnded judges a process that ended before /proc was read.
func (r *group) wantEnded(exe string) bool {
	meant, known := r.chooser.MatchesEnded(exe)
	if !meant && !known {
		r.unplaced++
	}
	return meant
}

// find lists the processes that are meant and were not seen at an exec.
func (r *group) find() (pids []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, err := r.chooser.Scan()
	if err == nil {
		err = r.chooser.Gone()
	}
	if err != nil {
		r.repeats.say("find", "the same of the processes to find", err)
	}
	for i := range found {
		pids = append(pids, found[i].PID)
	}
	return pids
}

// report makes the report of a window.
func (r *group) report(w *observe.Window) *report.Report {
	made := windowreport.New(versionString(), w)
	r.mu.Lock()
	defer r.mu.Unlock()
	if place, known := r.places[w.Target.PID]; known {
		setPlace(&made.Target, &place)
	}
	return made
}

// interval takes the window of an interval. Lines do not name their process: only those of a command are
// written.
func (r *group) interval(w *observe.Window) error {
	if r.single == nil || r.o.format != "ndjson" && w.Target.PID != r.pid {
		return nil
	}
	return r.single.interval(r.report(w))
}

// target takes the window of a process that has ended.
func (r *group) target(w *observe.Window) error {
	made := r.report(w)
	made.Final = true
	if w.Target.Executes == nil {
		r.mu.Lock()
		delete(r.places, w.Target.PID)
		r.mu.Unlock()
	}
	process := summary.Process{Result: w.Result, Report: made, Path: w.Target.Path}
	if info := w.Target.Info; info != nil {
		process.Main = info.Path
	}
	if w.Target.PID == r.pid && w.Target.NotGo {
		r.passCommand()
		r.command = &process
		return nil
	}
	return r.add(process)
}

// passCommand counts a command that is no Go program as one that was only followed.
func (r *group) passCommand() {
	if r.command == nil {
		return
	}
	name := "?"
	if exe := r.command.Report.Target.Exe; exe != nil {
		name = *exe
	}
	r.sum.Passed(name)
	r.command = nil
}

// add takes the report of a process.
func (r *group) add(p summary.Process) (err error) {
	r.observed++
	if r.over == nil {
		r.over = r.o.failed(p.Report)
	}
	r.sum.Add(p)
	if r.holds() && r.observed == 1 {
		r.only = p.Report
		return nil
	}
	if r.only != nil {
		err = r.out.Process(r.only)
		r.only = nil
	}
	if p.BuildTool() {
		return err
	}
	return errors.Join(err, r.out.Process(p.Report))
}

func (r *group) skipped(s observe.Skipped) {
	r.mu.Lock()
	delete(r.places, s.PID)
	r.mu.Unlock()
	// With --all-go every program of the machine that is not Go is skipped.
	if s.Reason != observe.Unwanted && (s.Followed || !r.g.choice.AllGo) {
		r.sum.Passed(s.Exe)
	}
}

// problem takes the error of a process that cannot be observed. The others are.
func (r *group) problem(pid int, err error) {
	r.failed = true
	if errors.Is(err, loader.ErrNoSlot) { // the summary has their number
		if !r.full {
			r.say("%s; those before it are observed", oneLine(err))
		}
		r.full = true
		return
	}
	kind := observe.KindOf(err)
	r.sum.Failed(kind.ID, kind.Why)
	r.repeats.say(kind.ID, kind.Why, namedFlag(err))
}

// limit takes why a process can be observed only in part.
func (r *group) limit(reason error) {
	kind := observe.KindOf(reason)
	r.sum.InPart(kind.ID, kind.Why)
	r.repeats.say(kind.ID, kind.Why, reason)
}

// finish writes what is known of all processes together.
func (r *group) finish(all *observe.Group) error {
	if r.command != nil && r.observed == 0 {
		process := *r.command
		r.command = nil
		if err := r.add(process); err != nil {
			return err
		}
	}
	r.passCommand()
	r.sum.SkippedExecs(all.SkippedExecs)
	if n := all.SkippedExecs; n != nil && *n > 0 {
		if r.over == nil && slices.Contains(r.o.failOn, "loss") {
			r.over = status(exitInconclusive)
		}
		if r.only != nil {
			r.only.Warnings = append(r.only.Warnings, fmt.Sprintf("the kernel skipped pinwatch's program at %s of a program: "+
				"up to so many processes were not seen", unit.Plural(*n, "start")))
		}
		if r.o.sink != nil {
			r.only = nil // the summary tells that processes may be missing
		}
	}
	if r.only != nil {
		return r.single.final(r.only, r.o.verbose)
	}
	if r.observed == 0 && r.g.start == nil {
		r.failed = true
		ran := strings.TrimSpace("no Go program ran " + r.chooser.Meant())
		r.say("no process was observed: in %s %s", unit.Duration(float64(all.End.Sub(all.Start))), ran)
		if r.single != nil && r.o.format == "text" {
			return nil
		}
	}
	if r.unplaced > 0 {
		all.Warnings = append(all.Warnings, fmt.Sprintf("%s ended before the cgroup could be read: "+
			"whether they were meant is not known", unit.Processes(r.unplaced)))
	}
	r.sum.NoRoom(all.NoRoom)
	cpu := all.Overhead.CPUSeconds
	fraction := cpu / all.Overhead.Elapsed.Seconds()
	made := r.sum.Report(summary.Meta{
		Version: versionString(), Host: all.Host, Start: all.Start, End: all.End, WallEnd: all.WallEnd,
		Observer: &report.GroupObserver{Hooks: all.Overhead.Hooks, CPUSeconds: &cpu, CPUFraction: &fraction,
			RSSAnonBytes: all.Overhead.RSSAnon},
		Warnings: all.Warnings,
	})
	return r.out.Close(made)
}
