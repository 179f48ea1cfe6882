package observe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/loader"
)

// Window is one window of an observation: its Result and the facts that are not in the events.
type Window struct {
	// Result is complete: Run has added the losses that only it knows of, and the costs' bias.
	Result   *correlate.Result
	End      time.Time // the window's end by the wall clock
	Host     host.Info
	Target   Target
	Overhead Overhead
	// Schedules has the scheduling of the threads that live, by TID, read after the window's end.
	Schedules map[int32]procfs.Schedule
	// Holders is what holds each living thread, read after the window's end; nil = not read.
	Holders    []Holder
	Pauses     Pauses
	Attributes Attributes
	Before     Placement // of the target's threads when the window began
	CPUSet     string    // the CPUs that its cpuset allows at the window's end; "" = not known
	NoTopology bool      // how far CPUs are apart is not known on this machine
	// Goroutines has what threads ran when the window ended, by TID.
	Goroutines map[int32]findings.Goroutine
	CPU        CPU
	// RuntimeStops is the runtime's account of its stops of the world, or why it is not known.
	RuntimeStops    []goruntime.Stops
	RuntimeStopsErr error
	// Limits are those of the number of threads.
	Limits []findings.Limit
	// Warnings are about the whole observation; those about single numbers are in Result.
	Warnings []string
}

// Placement is which CPUs threads may use.
type Placement struct {
	Affinity map[int32][]int // by TID; missing = not known
	CPUSet   string          // of the process; "" = not known
}

// Findings returns what is worth acting on in the window, and what was looked for.
func (w *Window) Findings() ([]findings.Finding, []findings.Judged) {
	about := findings.About{NotGo: w.Target.Info == nil, GOMAXPROCS: w.Target.GOMAXPROCS(), Held: w.held(),
		Goroutines: w.Goroutines, Limits: w.Limits, CPU: w.CPU.Process, SysmonCPU: w.CPU.Sysmon,
		Affinity: map[int32][]int{}, AffinityBefore: w.Before.Affinity, CPUSetBefore: w.Before.CPUSet, CPUSet: w.CPUSet,
		Attributes: w.Attributes.Compared(), Priorities: map[int32]findings.Priority{}}
	for tid, s := range w.Schedules {
		if s.CPUs != nil {
			about.Affinity[tid] = s.CPUs
		}
		if s.Nice != nil && s.Policy != nil {
			about.Priorities[tid] = findings.Priority{Policy: *s.Policy, Nice: *s.Nice}
		}
	}
	about.StopAccountErr = w.RuntimeStopsErr
	for _, s := range w.RuntimeStops {
		about.StopAccount = append(about.StopAccount,
			findings.StopAccount{Kind: s.Kind, All: findings.StopTimes(s.All), Delayed: findings.StopTimes(s.Longer)})
	}
	if q := w.Pauses.Quota; q != nil {
		about.Quota = (*findings.Quota)(&q.Quota)
	}
	if !w.Target.Ended {
		about.QuotaErr = w.Pauses.QuotaErr
	}
	return findings.Find(w.Result, about)
}

func (w *Window) warn(format string, args ...any) {
	w.Warnings = append(w.Warnings, fmt.Sprintf(format, args...))
}

// sensor is what the targets of one observation share: the machine and the programs in its kernel.
type sensor struct {
	host        host.Info
	distance    func(from, to int) string // between CPUs
	apart       bool                      // some distances are known
	hooks       map[string]string         // as loader.Session.Hooks
	room        loader.Room
	calibration *loader.Calibration // nil: not known
	stats       *loader.Stats
	missed      func() (map[string]uint64, error) // as loader.Stats.Missed
	times       *loader.ProgramTimes
	stacks      *events.Stacks
	files       *goruntime.Files // nil: the only target's are read once
}

func newSensor() *sensor {
	root := os.DirFS("/")
	topology := host.ReadTopology(root)
	return &sensor{host: host.Read(root), distance: topology.Distance, apart: topology.Known()}
}

// observation holds the facts of the observation of one target that are not in its events. It makes
// each Result into a Window.
type observation struct {
	*sensor
	cfg      Config
	target   Target
	warnings []string // known before the first window
	program  *Program
	// noProgram is why there is no Go program that can be read; nil = there is.
	noProgram error
	locksFrom events.Time          // correlate.Config.LocksFrom
	left      bool                 // the process has executed another program: /proc shows that
	probe     *pinProbe            // nil without Sites
	process   *goruntime.Held      // of a process that may end before its program is read; nil = it is opened then
	session   *loader.Session      // nil where there are several targets
	edges     map[events.Time]edge // of the windows that are not settled
	newest    edge                 // of them
	pauses    *pauses              // nil: not read
	held      allHolders           // read last

	loop   *loop
	clocks clocks      // at the start
	begin  usage       // at the start of the observation
	last   usage       // at the start of the interval
	cut    events.Time // the end of the interval that settled last; 0 = none
	whole  *correlate.Result
}

// run observes with the attached session.
func (o *observation) run(ctx context.Context) (*Window, error) {
	if err := o.session.CalibrationErr; err != nil {
		o.warnings = append(o.warnings, "bias_ns is not known: "+oneLine(err))
	} else {
		o.warnings = append(o.warnings, clockCaveats(*o.session.Calibration, o.host)...)
	}
	buffers := o.session.Buffers
	ring, err := events.NewRing(o.session.Rings(), o.session.Turns(), o.session.CPUSlots(), buffers.TurnsPerCPU)
	if err != nil {
		return nil, err
	}
	defer ring.Close()
	for _, place := range o.pinPlaces() {
		if err := o.session.ProbePins(place); err != nil {
			return nil, orEnded(o.session.Target, &OptionError{"sites", err})
		}
	}
	var added *sums
	if o.cfg.Aggregate {
		if added, err = openSums(o.session, o.distance); err != nil {
			return nil, err
		}
		defer added.close()
	}
	o.hooks, o.room, o.calibration = o.session.Hooks(), o.session.Room, o.session.Calibration
	o.stats, o.times, o.stacks = o.session.NewStats(), o.session.NewProgramTimes(o.calibration), &ring.Stacks
	o.missed = o.stats.Missed
	o.makeLoop(only{o.session, ring})
	o.loop.fetch = func(now events.Time) (events.Drained, error) { return ring.Drain(now, o.loop.order.Push) }
	o.loop.onEnd = o.session.TargetEnded
	o.loop.sums, o.loop.longest = added, longestWait(buffers.TurnsPerCPU, o.cfg.Aggregate)
	o.prepareLoop()
	if o.pauses.hasQuota() {
		o.loop.longest = longestWithQuota
	}
	if o.begin, err = o.usage(); err != nil {
		return nil, err
	}
	o.last = o.begin
	stop := startStats(ctx, o.stats)
	err = o.loop.run(ctx)
	statsErr := stop()
	if err != nil {
		return nil, err
	}
	return o.final(statsErr)
}

// makeLoop makes the loop of a target whose program may still have to be read.
func (o *observation) makeLoop(kernel kernelSide) {
	o.edges = map[events.Time]edge{}
	o.loop = &loop{
		cfg: &o.cfg, kernel: kernel, times: o.times, onResult: o.settle,
		onEdge: func(at events.Time, begins bool) {
			o.newest = o.readEdge(begins)
			o.edges[at] = o.newest
		},
	}
}

// prepareLoop prepares the loop for its first window.
func (o *observation) prepareLoop() {
	o.clocks = readClocks()
	if o.pauses.hasQuota() {
		o.pauses.throttled = o.loop.kernel.Throttled
	}
	o.loop.program, o.loop.pins, o.loop.pauses = o.program, o.probe, o.pauses
	o.loop.correlator = correlate.New(o.correlation())
}

// correlation is the correlator's configuration for this target.
func (o *observation) correlation() correlate.Config {
	cfg := o.program.correlation(o.stacks)
	debug := procfs.Process(o.target.PID).Env("GODEBUG")
	cfg.NoPreemption = slices.Contains(strings.Split(debug, ","), "asyncpreemptoff=1")
	cfg.TGID, cfg.Distance = o.loop.kernel.tgid(), o.distance
	cfg.Pauses, cfg.LocksFrom = o.pauses != nil, o.locksFrom
	cfg.Throttles = cfg.Pauses && o.pauses.quotasErr == nil
	cfg.Sites, cfg.Light, cfg.Aggregate = o.cfg.Sites, o.cfg.Light, o.cfg.Aggregate
	return cfg
}

// settle takes one Result. That of the whole observation is kept until the observation's overhead
// is known.
func (o *observation) settle(r *correlate.Result) error {
	current, err := o.usage()
	if err != nil {
		return err
	}
	since := o.begin
	if r.Interval {
		since, o.last = o.last, current
	}
	r.Loss.Skipped, r.Loss.Late = map[string]uint64{}, current.late-since.late
	for hook, n := range current.missed {
		if n -= since.missed[hook]; n > 0 {
			r.Loss.Skipped[hook] = n
		}
	}
	r.WarnOfMissing()
	if err := correlate.Validate(r); err != nil {
		r.Warnings = append(r.Warnings,
			"the numbers contradict each other, which is a defect of pinwatch: "+oneLine(err))
	}
	if !r.Interval {
		o.whole = r
		return nil
	}
	if o.cfg.OnWindow == nil {
		return nil
	}
	programs, sampled := o.stats.Sum()
	if sampled == 0 {
		programs = nil // refused, or not yet
	}
	w := o.window(r)
	o.addOverhead(w, programs, sampled, current.cpu-since.cpu, current.at.Sub(since.at))
	return o.cfg.OnWindow(w)
}

// final makes the window of the whole observation. statsErr is the error of the kernel's BPF
// statistics.
func (o *observation) final(statsErr error) (*Window, error) {
	w := o.window(o.whole)
	programs, sampled := o.stats.Sum()
	switch {
	case errors.Is(statsErr, fs.ErrPermission):
		programs = nil
		w.warn("the kernel gives its BPF statistics only with CAP_SYS_ADMIN: what the programs cost the machine " +
			"is not known; bias_ns rests on the calibration before attach and on what the programs time themselves")
	case statsErr != nil:
		programs = nil
		w.warn("what the programs cost is not known: %s", oneLine(statsErr))
	}
	o.addOverhead(w, programs, sampled, cpuTime()-o.begin.cpu, time.Since(o.begin.at))
	return w, nil
}

// window makes the window of a Result that has settled now, without its overhead.
func (o *observation) window(r *correlate.Result) *Window {
	w := &Window{Result: r, End: time.Now().Add(-o.loop.now().Sub(r.End)), Host: o.host, Target: o.target}
	w.Target.Ended, w.Target.HostPID = o.loop.ended, int(o.loop.kernel.tgid())
	w.Target.Plugins, w.Target.OtherRuntimes = o.program.Loaded()
	w.Target.Info = o.program.infoNow()
	first, last := o.edges[r.Start], o.lastEdge(r)
	w.Pauses, w.Before, w.CPUSet = between(first, last), Placement{first.affinity, first.cpuset}, last.cpuset
	w.CPU, w.NoTopology = accountBetween(first.account, last.account), !o.apart
	w.RuntimeStops, w.RuntimeStopsErr = stopsBetween(first, last)
	if r.Interval {
		delete(o.edges, o.cut) // the last interval's end; the whole still needs its own start
		o.cut = r.End
	}
	w.Warnings = append(append(w.Warnings, o.warnings...), o.program.Notes()...)
	w.Warnings = append(w.Warnings, readClocks().changes(o.clocks)...)
	return w
}

// lastEdge is the edge at a window's end. A window that ends with its target ends before that was
// noticed and read.
func (o *observation) lastEdge(r *correlate.Result) edge {
	if e, ok := o.edges[r.End]; ok {
		return e
	}
	return o.newest
}

// addOverhead adds what observing the window cost, the costs' bias, the scheduling of its threads,
// and warnings of what it lacks.
func (o *observation) addOverhead(w *Window, programs []loader.ProgramStats, sampled, used, elapsed time.Duration) {
	w.Overhead = o.overhead(w.Result, programs, sampled, used, elapsed)
	setBias(w.Result.Costs, w.Overhead.Timings)
	if !o.left {
		o.addProcess(w)
	}
	if n := o.stacks.Dropped(); n > 0 {
		w.warn("more than %d different stacks: of %d the causes are unknown", events.MaxStacks, n)
	}
	loss := w.Result.Loss
	if loss.Untracked+loss.UntrackedTurns > 0 {
		w.warn("threads had no room: use --thread-entries %d", o.room.Next(w.Result.Counts.Threads))
	}
	switch {
	case loss.Total() == 0:
	case o.cfg.MaxRate > 0 && loss.Total() == loss.ByKind[events.Switch.String()]:
		w.warn("switches beyond --max-rate %d per second count as lost", o.cfg.MaxRate)
	default:
		w.warn("records were lost: use a larger --ring-size")
	}
}

// addProcess adds what the process shows of itself after the window's end.
func (o *observation) addProcess(w *Window) {
	w.Schedules = o.schedules(w.Result)
	held := o.holders(w.Result)
	w.Holders, w.Warnings = held.list, append(w.Warnings, held.warnings...)
	w.Attributes = o.attributes(w.Result)
	w.Warnings = append(w.Warnings, w.Attributes.Warnings()...)
	w.Goroutines = o.program.goroutines(o.loop.ms)
	w.Limits = limits(o.target.PID, w.Target.Info != nil, &w.Result.Counts)
}

// schedules asks the kernel how it schedules each thread that lives.
func (o *observation) schedules(r *correlate.Result) map[int32]procfs.Schedule {
	schedules := map[int32]procfs.Schedule{}
	if !procfs.ShowsOurNamespace() {
		return schedules
	}
	for i := range r.Threads {
		if t := &r.Threads[i]; t.ExitedAt == 0 {
			schedules[t.TID] = procfs.ReadSchedule(o.target.PID, t.TID)
		}
	}
	return schedules
}

// oneLine puts an error into one line, however it was joined.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
