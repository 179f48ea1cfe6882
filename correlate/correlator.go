// Package correlate turns the stream of events of one process into what its threads cost. It is pure: no clock, no I/O, no
// goroutine, so a recording gives the same Result as the live run did.
//
// Every event kind has one short method. A thread's time line is kept in timeline.go, its birth and death in
// lifecycle.go, SIGURG in preempt.go, and what all that adds up to per window in window.go, costs.go and absorb.go. Each event is counted
// once, in the innermost window that it lies in, so its price does not depend on how many windows there are.
package correlate

import "github.com/pinwatch/pinwatch/events"

// Config is what the stream itself does not say.
type Config struct {
	TGID uint32 // the target's, in the initial PID namespace

	// Distance names how far two CPUs are apart: smt, llc, node, remote or unknown. nil means always unknown.
	Distance func(a, b int) string

	// Addresses of functions of the target's runtime; 0 when not known.
	AsyncPreempt, Sysmon, TemplateThread uint64

	// Locks says that lock state is read from the runtime's memory.
	Locks bool

	// Light says that no system call is told of. Then NewTask and SignalGenerate come with a CloneEnter or TgkillEnter of their moment, for the
	// stack, and ProcessExit says whether it is by exit(2).
	Light bool

	// Aggregate says that most turns are told of as sums, and the CPU time of hand-offs only so.
	Aggregate bool

	// Sites says that the calls of LockOSThread are told of.
	Sites bool

	// Stack is the user stack of that number, innermost function first; nil when there is none, or no function of it is known.
	// nil means always nil.
	Stack func(id uint64) []Frame

	// Func names the function of a goroutine that begins at an address; "" when not known. nil means never known.
	Func func(pc uint64) string
}

// Correlator takes events in the order of their times.
type Correlator struct {
	cfg      Config
	threads  threads       // by kernel tid, until the kernel frees them
	unused   []*thread     // to be used again
	idle     []*signal     // to be used again
	ended    []endedThread // room for those of one window
	keep     int           // ended threads that a window lists at least
	windows  []*window     // those that can still change: the whole observation first, then intervals
	open     *window       // the innermost of those that have not ended; nil = none
	boundary events.Time   // the last begin or end of a window
	nextWin  uint32
	cpuFree  []events.Time // when the last known run on each CPU ended
	seeded   bool          // a window has begun: threads that appear without a birth are broken links
	classes  map[classKey]*reason
	reasons  map[reasonKey]*reason
	replaced bool   // the process executed another program: stacks are of functions that nobody knows
	pinsLost bool   // calls of LockOSThread have not been told of
	locked   uint64 // threads locked by the user now
}

// New returns a correlator that has seen nothing.
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
	return &Correlator{cfg: cfg, threads: newThreads(), keep: MaxEndedThreads, classes: map[classKey]*reason{}, reasons: map[reasonKey]*reason{}}
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
}

// Add takes the next event. It returns the windows that the event settles: after a cut the interval that ended, at the end
// the last interval and, last, the whole observation; otherwise nil.
func (c *Correlator) Add(e *events.Event) []*Result {
	if e.Kind == events.WindowSettled {
		return c.settle()
	}
	if int(e.Kind) < len(dispatch) && dispatch[e.Kind] != nil {
		dispatch[e.Kind](c, e)
	}
	return nil
}

// Living is how many threads have not left their CPUs for the last time, as far as events have come.
func (c *Correlator) Living() int {
	n := 0
	for t := range c.threads.all {
		if t.deadAt == 0 {
			n++
		}
	}
	return n
}

// known returns the thread of an event. A thread nobody has announced lived before the programs did, or its birth was lost.
func (c *Correlator) known(tid uint32) *thread {
	t := c.threads.get(tid)
	if t == nil {
		t = c.newThread(tid, int32(tid))
		c.threads.put(t)
		if c.seeded {
			c.brokenLink()
		}
	}
	return t
}

// count adds one to a counter of the innermost window that contains the moment.
func (c *Correlator) count(at events.Time, counter func(*window) *uint64) {
	if w := c.inner(at, at); w != nil {
		*counter(w)++
	}
}

func (c *Correlator) brokenLink() {
	for _, w := range c.windows {
		w.loss.BrokenLinks++
	}
}
