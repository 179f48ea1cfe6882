// Package observe makes observations: it attaches to one process, follows its events, and hands out
// each window's Result with the facts that are not in the events.
//
// Run is the door for one process. It describes the target (target.go, program.go), attaches the session, and
// then runs the loop (loop.go): every poll empties the kernel's buffers, the reorder window sorts
// the events, and the correlator adds them up. At a boundary the loop asks the kernel for every
// living thread and reads the locks from the target's memory, so that a window's times and locks
// are known up to its end. A settled Result becomes a Window (window.go), with what the kernel and
// /proc had at both ends (edge.go), what observing cost (overhead.go), what happened to the clocks
// (clocks.go), and how the kernel schedules each thread.
//
// RunGroup is the door for any number of processes (group.go). Its hub (hub.go) empties the buffers for all,
// gives each record to the target that it is of (dispatch.go), and makes members of processes that come
// (reading.go). A member (member.go) is an observation as above, which the hub drives: with its own order,
// correlator and windows. side.go is what both need of the kernel side.
//
// Package windowreport turns a Window into a report; nothing here knows a format.
package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/loader"
)

// Config of an observation. The zero value of every field but PID is useful.
//
// Run calls the callbacks one at a time, on the goroutine that called Run. The observation waits
// for each. A nil callback is not called.
type Config struct {
	// PID is the target's, in the PID namespace of /proc.
	PID int
	// Duration is the length of the observation; 0 means until the context or the target ends.
	Duration time.Duration
	// Interval is the length of the windows that OnWindow gets; 0 means none, else it is at least
	// MinInterval.
	Interval time.Duration

	// NotBegun: the process waits before its first instruction, traced by the caller, and OnBegin lets it
	// go. See package launch.
	NotBegun bool

	// RingBytes is the size of all buffers together; 0 means a size that suits this machine.
	RingBytes int
	// MaxRate limits the switch records per second; 0 means no limit. The others count as lost. It
	// excludes Aggregate.
	MaxRate int
	// ThreadEntries is the size of the kernel's table of threads, a power of two; 0 means room for
	// the target's threads and half as many again.
	ThreadEntries int
	// Offsets is a file with the offsets of the target's Go release; "" means pinwatch's table, or
	// the program's DWARF.
	Offsets string
	// GoVersion is the target's Go release, such as go1.26.8, for a target that does not name it; "" =
	// not known.
	GoVersion string
	// Sites puts a breakpoint on runtime.LockOSThread and fills Result.Sites.
	Sites bool
	// Light leaves out every hook on a system call.
	Light bool
	// Aggregate adds switches up in the kernel instead of sending each.
	Aggregate bool
	// Slow makes chosen programs slower by a known amount. It is a measuring aid: it shows whether
	// a number's bias follows what pinwatch's programs cost.
	Slow loader.Slow

	// OnLimit gets each reason why the target can be observed only in part. It is called before the
	// window begins. See KindOf.
	OnLimit func(reason error)
	// OnBegin is called when the window has begun: every event from here on is seen. Its error ends
	// Run.
	OnBegin func() error
	// OnEvent gets every event, in order, before the correlator does. The event is valid during the
	// call only.
	OnEvent func(*events.Event)
	// OnWindow gets each interval when it has settled. Its error ends Run.
	OnWindow func(*Window) error
	// OnProgress is called after every poll with the time since the window began and the number of
	// events until now.
	OnProgress func(elapsed time.Duration, events uint64)
}

// MinInterval leaves time to read every thread between two boundaries.
const MinInterval = 100 * time.Millisecond

// Validate reports the first field that cannot be used.
func (c *Config) Validate() error {
	switch {
	case c.PID <= 0:
		return fmt.Errorf("observe: PID %d: must be positive", c.PID)
	case c.Duration < 0:
		return fmt.Errorf("observe: duration %v: must not be negative", c.Duration)
	case c.Interval < 0, c.Interval > 0 && c.Interval < MinInterval:
		return fmt.Errorf("observe: interval %v: must be 0 or at least %v", c.Interval, MinInterval)
	case c.RingBytes < 0:
		return fmt.Errorf("observe: ring of %d bytes: must not be negative", c.RingBytes)
	case c.MaxRate < 0, c.MaxRate > 0 && c.MaxRate < loader.MinRate:
		return fmt.Errorf("observe: rate limit %d: must be 0 or at least %d per second", c.MaxRate, loader.MinRate)
	case c.MaxRate > 0 && c.Aggregate:
		return errors.New("observe: a rate limit excludes aggregation: switches that are added up are not sent")
	case c.ThreadEntries < 0, c.ThreadEntries > loader.MaxThreads, c.ThreadEntries&(c.ThreadEntries-1) != 0:
		return fmt.Errorf("observe: %d thread entries: must be a power of two up to %d", c.ThreadEntries, loader.MaxThreads)
	}
	return nil
}

// An OptionError is a field of Config that this target or machine does not allow.
type OptionError struct {
	Option string // the field's name as a flag: offsets, go-version, sites
	Err    error
}

// A Kind is what stands in the way of observing processes as a whole.
type Kind struct {
	ID  string // for programs
	Why string // for people, about any number of processes
}

// LostExec is the ID of a Kind: the process became a target when it executed a program, and the record of that
// was lost. It is observed from later on if it lives.
const LostExec = "lost_exec"

// Errors of a process, besides other packages'.
var (
	errLostExec = errors.New("executed a program, and there was no room for the record of that")
	errExecutes = errors.New("executes one program after the other")
	errTooLate  = errors.New("the observation ended before its program was read")
	errLocks    = errors.New("locks and roles are not known")
	errSites    = errors.New("who locks is not known")
)

var kinds = []struct {
	err error
	Kind
}{
	{errLostExec, Kind{LostExec, "executed a program, and the record of that was lost: use a larger --ring-size"}},
	{loader.ErrNoSlot, Kind{"no_room", "there was no room for more"}},
	{loader.ErrNoProcess, Kind{"no_process", "no such process"}},
	{loader.ErrEnded, Kind{"ended", "ended before observation began"}},
	{loader.ErrThread, Kind{"thread", "the PID is a thread's"}},
	{loader.ErrKernelThread, Kind{"kernel_thread", "a thread of the kernel"}},
	{errExecutes, Kind{"executes", errExecutes.Error()}},
	{errTooLate, Kind{"not_read", errTooLate.Error()}},
	{errLocks, Kind{"locks_unknown", errLocks.Error()}},
	{errSites, Kind{"sites_unknown", "who calls LockOSThread is not known"}},
	{goruntime.ErrNotGo, Kind{"not_go", "not a Go program: the kernel side only"}},
	{goruntime.Err32Bit, Kind{"32_bit", "a 32-bit program"}},
	{unix.EMFILE, Kind{"files", "too many open files"}},
	{os.ErrPermission, Kind{"permission", "not permitted"}},
}

// KindOf is the kind of an error that OnProblem or OnLimit gets: many processes have the same one.
func KindOf(err error) Kind {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.Kind
		}
	}
	var option *OptionError
	if errors.As(err, &option) {
		return Kind{"option", "not as a flag wants it: --" + option.Option}
	}
	return Kind{"other", "for other reasons"}
}

func endedError(pid int) error {
	return fmt.Errorf("process %d %w: nothing of it was observed", pid, loader.ErrEnded)
}

// orEnded is the error of preparing to observe a target: another one if it has ended meanwhile.
func orEnded(target *loader.Target, err error) error {
	if target.Alive() {
		return err
	}
	return endedError(target.PID)
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Err.Error() }
func (e *OptionError) Unwrap() error { return e.Err }

// Run observes one process until the duration, the context or the process ends, and returns the
// window of the whole observation. When the context ends the window is complete up to then, and
// that is no error. When the process ends the window ends with it, by the kernel's clock; where that
// was before the window began, the error satisfies errors.Is with loader.ErrEnded. An error of detaching
// comes with the window.
func Run(ctx context.Context, cfg Config) (whole *Window, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	o := &observation{cfg: cfg, sensor: newSensor(), program: &Program{}}
	defer func() { o.program.Close() }()
	if err := o.attach(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.session.Close()) }()
	return o.run(ctx)
}

// attachTries are for a process that executes other programs one after the other, as a shell does.
const attachTries = 5

// attach reads the target's program and attaches to it. A program that is executed in between is
// read anew; an Exec event tells of later ones.
func (o *observation) attach() error {
	for try := 1; ; try++ {
		target, before, err := o.openTarget()
		if err != nil {
			return err
		}
		o.pauses = openPauses(os.DirFS("/"), target.PID)
		cfg := &o.cfg
		o.session, err = loader.Attach(target, loader.Config{
			RingBytes: cfg.RingBytes, MaxRate: cfg.MaxRate, ThreadEntries: cfg.ThreadEntries, Light: cfg.Light,
			Aggregate: cfg.Aggregate, Isolated: o.host.Isolated, Runtime: loader.RuntimeOf(o.program.Info),
			Calibrate: true, Slow: cfg.Slow, Throttles: o.pauses.hasQuota(), Pins: cfg.Sites,
		})
		switch {
		case err != nil:
			return errors.Join(orEnded(target, err), target.Close())
		case before == procfs.Process(target.PID).Auxv():
			return nil
		}
		o.program.Close()
		if err := o.session.Close(); err != nil || try == attachTries {
			return cmp.Or(err, fmt.Errorf("process %d %w: try again", target.PID, errExecutes))
		}
		if cfg.OnLimit != nil {
			cfg.OnLimit(errors.New("the process has executed another program meanwhile, which is read now"))
		}
	}
}

// openTarget opens the target and describes it: both at once where the caller has the process wait.
// before tells the program from others that the process executes later.
func (o *observation) openTarget() (target *loader.Target, before string, err error) {
	o.target, o.warnings = Target{PID: o.cfg.PID}, nil
	result := make(chan error, 1)
	opened := sync.OnceValue(func() error { return <-result })
	go func() {
		var err error
		target, err = loader.OpenTarget(o.cfg.PID)
		result <- err
	}()
	if !o.cfg.NotBegun { // there may be no such process
		if err := opened(); err != nil {
			return nil, "", err
		}
	}
	before = procfs.Process(o.cfg.PID).Auxv()
	described := o.describe()
	if err := opened(); err != nil {
		return nil, "", err
	}
	if err := orEnded(target, described); err != nil {
		return nil, "", errors.Join(err, target.Close())
	}
	return target, before, nil
}

// describe reads the target's program and, with Sites, measures the breakpoint before anything is
// attached.
func (o *observation) describe() (err error) {
	if o.program, err = o.readTarget(); err == nil && o.cfg.Sites {
		o.probe, err = o.program.pinProbe(breakpointCost)
	}
	return err
}
