package correlate

import (
	"github.com/pinwatch/pinwatch/correlate/internal/stops"
	"github.com/pinwatch/pinwatch/events"
)

// Config holds what the stream of events does not.
type Config struct {
	TGID uint32 // the target's, in the initial PID namespace

	// Distance names how far two CPUs are apart: smt, llc, node, remote or unknown. nil means
	// always unknown.
	Distance func(a, b int) string

	// Addresses of functions of the target's runtime; 0 when not known.
	AsyncPreempt, Sysmon, TemplateThread uint64

	// Locks is set when lock state is read from the runtime's memory.
	Locks bool

	// LocksFrom is the moment from which on they are read, where that is later than the program's begin.
	// 0 = from its begin. What happened before is unknown.
	LocksFrom events.Time

	// OtherRuntimes is set when the process has Go runtimes that are not observed. A thread without an
	// M of the observed runtime may be theirs: what it is and what it holds is not known.
	OtherRuntimes bool

	// Light is set when system calls are not watched. Then NewTask and SignalGenerate come with a
	// CloneEnter or TgkillEnter of their moment, for the stack, and ProcessExit has a flag for
	// exit(2).
	Light bool

	// NoPreemption is set when the runtime is told to send no SIGURG (GODEBUG=asyncpreemptoff=1).
	NoPreemption bool

	// Aggregate is set when most turns are sent as sums, and the CPU time of hand-offs only so.
	Aggregate bool

	// Pauses is set when Paused events are sent, and Throttles when Throttled ones are.
	Pauses, Throttles bool

	// Sites is set when the calls of LockOSThread are sent.
	Sites bool

	// Stack returns the user stack of a number, innermost function first; nil when there is none,
	// or no function of it is known. nil means always nil.
	Stack func(id uint64) []Frame

	// Func names the function of a goroutine that begins at an address; "" when not known. nil
	// means never known.
	Func func(pc uint64) string

	// Code names the function that an instruction is in; "" when not known. nil means never known.
	Code func(pc uint64) string

	// RuntimeLocks reports whether the runtime starts a goroutine at an address for itself and
	// calls LockOSThread there. nil means never.
	RuntimeLocks func(pc uint64) bool
}

// Frame is one function of a user stack.
type Frame struct {
	Func string // as the runtime names it: main.(*server).serve.func1; "" = not in the Go program
	File string
	Line int
}

// Correlator takes events in the order of their times.
type Correlator struct {
	cfg      Config
	threads  threads // by kernel tid, until the kernel frees them
	sleepers sleepers
	windows  windows
	program  program
	locks    lockTracker
	samples  sampler
	stops    stops.Tracker
	cpus     cpuTimes
	started  bool // a window has begun: threads that appear without a birth are broken links
	lastEnd  events.Time
}

// New returns a correlator without threads or windows.
func New(cfg Config) *Correlator {
	if cfg.Distance == nil {
		cfg.Distance = func(int, int) string { return "unknown" }
	}
	if cfg.Stack == nil {
		cfg.Stack = func(uint64) []Frame { return nil }
	}
	if cfg.Func == nil {
		cfg.Func = func(uint64) string { return "" }
	}
	if cfg.Code == nil {
		cfg.Code = func(uint64) string { return "" }
	}
	if cfg.RuntimeLocks == nil {
		cfg.RuntimeLocks = func(uint64) bool { return false }
	}
	c := &Correlator{cfg: cfg, threads: threads{tidTable: newTIDTable()}, program: newProgram(&cfg)}
	c.sleepers = sleepers{byTID: map[uint32]sleeper{}, from: maxListed}
	c.windows = windows{threads: &c.threads, keep: maxEndedThreads}
	c.locks = lockTracker{windows: &c.windows, program: &c.program}
	c.samples = sampler{windows: &c.windows}
	c.stops = stops.Tracker{Find: c.stoppingThread, Begun: c.stopBegun, Ended: c.stopEnded}
	return c
}

var dispatch = [...]func(*Correlator, *events.Event){
	events.Thread:         (*Correlator).thread,
	events.NewTask:        (*Correlator).newTask,
	events.CloneEnter:     (*Correlator).cloneEnter,
	events.CloneExit:      (*Correlator).cloneExit,
	events.ExitEnter:      (*Correlator).exitEnter,
	events.ProcessExit:    (*Correlator).processExit,
	events.ProcessFree:    (*Correlator).processFree,
	events.Sigmask:        (*Correlator).sigmask,
	events.Sigaltstack:    (*Correlator).sigaltstack,
	events.TgkillEnter:    (*Correlator).tgkillEnter,
	events.TgkillExit:     (*Correlator).tgkillExit,
	events.SignalGenerate: (*Correlator).signalGenerate,
	events.SignalDeliver:  (*Correlator).signalDeliver,
	events.Sigreturn:      (*Correlator).sigreturn,
	events.Exec:           (*Correlator).exec,
	events.ParentDeath:    (*Correlator).parentDeath,
	events.Delay:          (*Correlator).delay,
	events.Switch:         (*Correlator).turn,
	events.ThreadM:        (*Correlator).threadM,
	events.Lock:           (*Correlator).lockEvent,
	events.Park:           (*Correlator).park,
	events.Pin:            (*Correlator).pin,
	events.Sum:            (*Correlator).sum,
	events.SumLock:        (*Correlator).sumLock,
	events.SampleTotal:    (*Correlator).sampleTotal,
	events.SampleBucket:   (*Correlator).sampleBucket,
	events.Move:           (*Correlator).move,
	events.WindowStart:    (*Correlator).windowStart,
	events.WindowCut:      (*Correlator).windowCut,
	events.WindowEnd:      (*Correlator).windowEnd,
	events.Loss:           (*Correlator).loss,
	events.Untracked:      (*Correlator).untracked,
	events.Paused:         (*Correlator).paused,
	events.Throttled:      (*Correlator).throttled,
}

// Add takes the next event. It returns the windows that the event settles: after a cut the interval
// that ended, at the end the last interval and, last, the whole observation; otherwise nil.
func (c *Correlator) Add(e *events.Event) []*Result {
	if e.Kind == events.WindowSettled {
		return c.settle()
	}
	if c.cfg.OtherRuntimes {
		hideForeign(e)
	}
	if int(e.Kind) < len(dispatch) && dispatch[e.Kind] != nil {
		dispatch[e.Kind](c, e)
	}
	return nil
}

// SetOtherRuntimes sets Config.OtherRuntimes from now on: a library has been loaded.
func (c *Correlator) SetOtherRuntimes() { c.cfg.OtherRuntimes = true }

// hideForeign makes the lock of a thread unknown that has no M of the observed runtime.
func hideForeign(e *events.Event) {
	at := 0
	switch e.Kind {
	case events.Lock, events.Sigmask, events.SignalDeliver:
		if e.Flags == events.LockForeign {
			e.Flags = events.LockUnknown
		}
		return
	case events.CloneEnter:
		at = events.ArgCloneLock
	case events.SignalGenerate:
		at = events.ArgTargetLock
	case events.Switch:
		at = events.ArgLock
	default:
		return
	}
	if e.Args[at] == uint64(events.LockForeign) {
		e.Args[at] = uint64(events.LockUnknown)
	}
}

// Ended reports whether all threads have left their CPUs for the last time, by the events so far.
func (c *Correlator) Ended() bool {
	if len(c.sleepers.byTID) > 0 {
		return false
	}
	for t := range c.threads.all {
		if t.deadAt == 0 {
			return false
		}
	}
	return true
}

// LastEnd is the last moment at which a thread left its CPU for the last time, by the events so
// far; 0 = none did. Once all have, that is the kernel's moment of the target's end.
func (c *Correlator) LastEnd() events.Time { return c.lastEnd }

// threadOf returns the thread of an event. A thread without an event before lived before the
// observation, or its birth was lost.
func (c *Correlator) threadOf(tid uint32) *thread {
	t := c.threads.get(tid)
	if t == nil {
		t = c.wake(tid)
	}
	if t == nil {
		t = c.threads.create(tid, int32(tid))
		c.threads.put(t)
		if c.started {
			c.windows.breakLink()
		}
	}
	return t
}
