package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/unit"
	"github.com/pinwatch/pinwatch/loader"
)

// GroupConfig of an observation of any number of processes. Its Config holds for each of them, but for
// PID, Aggregate and OnEvent, which must not be set. OnWindow gets the intervals of all targets.
// NotBegun is about the first of PIDs.
type GroupConfig struct {
	Config
	// PIDs are targets from the beginning.
	PIDs []int
	// Command starts a process that waits before its first instruction, as with NotBegun. It is called while
	// the programs are loaded, and its PID comes before PIDs. nil means none.
	Command func() (pid int, err error)
	// Follow makes every Go program a target that a target or one of its descendants executes.
	Follow bool
	// Watch makes every Go program a target that is executed anywhere on the machine.
	Watch bool
	// Targets is the room for processes at one time; 0 = a thousand.
	Targets int
	// Want reports whether a process is to be observed. It is called on any goroutine, before the
	// program is read, and of one that ended first at its end. nil means all.
	Want func(Candidate) bool
	// Find lists the processes that run and may not have been seen at their exec. It is called at the
	// beginning, and every findEvery. nil means none.
	Find func() []int

	// OnCount gets the number of targets: before OnBegin, and each time before OnProgress.
	OnCount func(targets int)
	// OnIdle is called once the observation has begun, if it has no target yet.
	OnIdle func()
	// OnTarget gets the window of each target when it has ended, or at the end. Its error ends RunGroup.
	// It, the next two and OnLimit, which is about PIDs, are called one at a time, on another goroutine.
	OnTarget func(*Window) error
	// OnSkipped gets each process that executed a program and is no target.
	OnSkipped func(Skipped)
	// OnProblem gets the error of a process that cannot be observed, as others can. See KindOf.
	OnProblem func(pid int, err error)
}

// A Candidate is a process that may become a target.
type Candidate struct {
	PID      int
	Exe      string // name of the executable; "" = not known
	Followed bool   // it descends from a target
	Named    bool   // in PIDs: it is a target in any case
	Ended    bool   // it can't be asked any more; Exe may be the first 15 bytes of the name
}

// Reasons why a process is no target.
const (
	NotGo    = "not a Go program"
	Unwanted = "not wanted"
	// Unread: it ended before its program was read, or executed another one. It created no thread, so
	// it never reached main of a Go program: the runtime creates sysmon's before (runtime/proc.go, main).
	Unread = "ended before its program was read"
)

// Skipped is a process that executed a program and is no target.
type Skipped struct {
	PID      int
	Exe      string // name of the executable, or of the thread where that is not known
	Followed bool   // it descends from a target
	Reason   string
}

// Group is the observation of several processes as a whole.
type Group struct {
	Host       host.Info
	Start, End events.Time // Start: of the first window, before OnBegin if others were still read
	WallEnd    time.Time
	Overhead   Overhead
	NoRoom     uint64 // up to so many processes found no room, Go programs or not
	Strays     uint64 // records of no process that is known
	// SkippedExecs are runs of the program at an exec that the kernel skipped, as another task was preempted
	// in it on the CPU (kernel/trace/bpf_trace.c, __bpf_trace_run). Up to so many processes should have become
	// targets. nil = not known.
	SkippedExecs *uint64
	Warnings     []string
}

// findEvery is the time between two calls of GroupConfig.Find. It finds what came without an exec, as
// by a move into a cgroup.
const findEvery = time.Second

func (c *GroupConfig) validate() error {
	if c.Aggregate {
		return errors.New("observe: several targets exclude aggregation: the kernel side has one set of sums")
	}
	if len(c.PIDs) == 0 && c.Command == nil && c.Find == nil && !c.Watch {
		return errors.New("observe: no target")
	}
	one := c.Config
	one.PID = 1
	return one.Validate()
}

// RunGroup observes processes until the duration, the context or the last target ends. The windows of
// targets that live then are complete up to then. An error of one target is OnProblem's.
func RunGroup(ctx context.Context, cfg GroupConfig) (all *Group, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	h := newHub(cfg, newSensor())
	h.files, h.breakpoint = &goruntime.Files{}, sync.OnceValues(breakpointCost)
	var startErr error
	started := make(chan struct{})
	go func() {
		defer close(started)
		startErr = h.startCommand()
	}()
	awaitStart := func() error {
		<-started
		return startErr
	}
	h.group, err = loader.OpenGroup(loader.GroupConfig{
		RingBytes: cfg.RingBytes, MaxRate: cfg.MaxRate, ThreadEntries: cfg.ThreadEntries, Light: cfg.Light,
		Slow: cfg.Slow, Isolated: h.host.Isolated, Targets: cfg.Targets, Follow: cfg.Follow, Watch: cfg.Watch,
		Calibrate: true, Pins: cfg.Sites, BeforeLoad: awaitStart,
	})
	if err != nil {
		return nil, cmp.Or(awaitStart(), err)
	}
	defer func() { err = errors.Join(err, h.group.Close()) }()
	defer h.known.Close()
	return h.run(ctx)
}

// startCommand starts the command, and reads its program's file in the background: it takes as long as to
// load the programs, and is then known.
func (h *hub) startCommand() error {
	if h.cfg.Command == nil {
		return nil
	}
	pid, err := h.cfg.Command()
	if err != nil {
		return err
	}
	h.cfg.PIDs, h.cfg.NotBegun = append([]int{pid}, h.cfg.PIDs...), true
	h.background.Go(func() {
		if rt, err := goruntime.Open(pid, goruntime.Options{NotBegun: true, Files: h.files}); err == nil {
			rt.Close()
		}
	})
	return nil
}

// run observes with the attached programs.
func (h *hub) run(ctx context.Context) (_ *Group, err error) {
	buffers := h.group.Buffers
	h.ring, err = events.NewRing(h.group.Rings(), h.group.Turns(), h.group.CPUSlots(), buffers.TurnsPerCPU)
	if err != nil {
		return nil, err
	}
	defer h.ring.Close()
	h.kernel, h.drain = several{h.group}, h.ring.Drain
	h.hooks, h.room, h.stacks, h.calibration = h.group.Hooks(), h.group.Room, &h.ring.Stacks, h.group.Calibration
	h.stats, h.times = h.group.NewStats(), h.group.NewProgramTimes(h.calibration)
	h.missed = h.missedOnce
	h.longest = longestWait(buffers.TurnsPerCPU/2, false) // beyond half, each target has its share only
	woken, err := openWakeups(h.ring, h.wakeUp)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, woken.Close()) }()
	h.reports = startReports()
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return nil, fmt.Errorf("read the limit of open files: %w", err)
	}
	h.mostFiles = files.Cur // the Go runtime has raised it as far as it may
	begin, cpu := time.Now(), cpuTime()
	stop := startStats(ctx, h.stats)
	err = h.loop(ctx)
	statsErr := stop()
	h.stop()
	if err = errors.Join(err, h.reports.stop()); err != nil {
		return nil, errors.Join(err, h.detached)
	}
	all := &Group{Host: h.host, Start: h.first, End: h.now(), WallEnd: time.Now(), NoRoom: h.withoutRoom(h.group.NoSlot()),
		Strays: h.strays}
	if h.strays > 0 {
		all.Warnings = append(all.Warnings, unit.Plural(h.strays, "record")+
			" of no process that is known: some numbers are lower bounds")
	}
	all.setSkippedExecs(h.stats.Missed())
	programs, sampled := h.stats.Sum()
	if statsErr != nil {
		programs = nil
		all.Warnings = append(all.Warnings, "what the programs cost is not known: "+oneLine(statsErr))
	}
	all.Overhead = h.cost(programs, sampled, cpuTime()-cpu, time.Since(begin))
	return all, h.detached
}

func (g *Group) setSkippedExecs(missed map[string]uint64, err error) {
	if err != nil {
		g.Warnings = append(g.Warnings, "whether the kernel skipped programs is not known: "+oneLine(err))
		return
	}
	g.SkippedExecs = new(missed["sched_process_exec"])
}

// reports calls the callbacks that get a process, one after the other, beside the hub: making a report
// takes a millisecond, in which other processes may come and go.
type reports struct {
	calls chan func() error
	done  chan struct{}
	err   atomic.Pointer[error] // the first one
}

// waitingReports is how many callbacks may wait. The hub waits for them then.
const waitingReports = 64

func startReports() *reports {
	r := &reports{calls: make(chan func() error, waitingReports), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for call := range r.calls {
			if r.err.Load() != nil {
				continue
			}
			if err := call(); err != nil {
				r.err.Store(&err)
			}
		}
	}()
	return r
}

func (r *reports) add(call func() error) { r.calls <- call }

// failed is the first error of a callback so far.
func (r *reports) failed() error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return nil
}

// stop returns once all callbacks have returned.
func (r *reports) stop() error {
	close(r.calls)
	<-r.done
	return r.failed()
}

// problem passes on the error of one process.
func (h *hub) problem(pid int, err error) {
	h.problems++
	if h.cfg.OnProblem != nil {
		h.reports.add(func() error {
			h.cfg.OnProblem(pid, err)
			return nil
		})
	}
}

// limit passes on why one process can be observed only in part.
func (h *hub) limit(reason error) {
	h.reports.add(func() error {
		h.cfg.OnLimit(reason)
		return nil
	})
}

// Files that are open for each target, and for everything else.
const (
	targetFiles = 5 // without --sites
	sitesFiles  = 2
	otherFiles  = 256
)

func (h *hub) filesEach() uint64 {
	if h.cfg.Sites {
		return targetFiles + sitesFiles
	}
	return targetFiles
}

// hasFiles reports whether one more target may open its files.
func (h *hub) hasFiles() bool {
	return uint64(len(h.members)+1)*h.filesEach()+otherFiles <= h.mostFiles
}

func (h *hub) errNoFiles() error {
	return fmt.Errorf("%w: each takes %d of the %d files that pinwatch may open (ulimit -n)", loader.ErrNoSlot,
		h.filesEach(), h.mostFiles)
}

// errNothing means that none of the processes could be observed.
var errNothing = errors.New("no process is left to observe")

func (h *hub) nothing() error {
	if h.problems > 0 {
		return fmt.Errorf("%w: see above", errNothing)
	}
	return errNothing
}
