package correlate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/events"
)

// Frame is one function of a user stack.
type Frame struct {
	Func string // as the runtime names it: main.(*server).serve.func1; "" = no function of the Go program's
	File string
	Line int
}

// Words for causes, of the report.
const (
	causeOther   = "other"    // a stack that was read, and is in no class
	causeUnknown = "unknown"  // no usable stack
	causeLocked  = "locked"   // of an exit
	causeCgo     = "cgo"      // of a creation: by C code
	causeGivenUp = "given_up" // of a park
)

// What can have a cause.
const (
	whatCreate  = "create"
	whatExit    = "exit"
	whatPreempt = "preempt"
	whatPark    = "park" // of a thread: no cause in reports
)

// class is what a stack says: why, and who is behind it.
type class struct {
	cause    string
	reason   string // of a stop-the-world
	function string // the innermost that is not the runtime's
}

// A rule names a cause by functions of the runtime. The first rule all of whose functions are on the stack decides, wherever they
// stand, since helpers between them come, go and are inlined from release to release. A name stands for its closures too.
type rule struct {
	cause string
	all   []string
}

// Whom the runtime creates an M for. Sources: the callers of newm, newm1, startm, handoffp and wakep in runtime/proc.go, 1.13 to 1.27.
var createRules = []rule{
	{"start_the_world", []string{"startTheWorldWithSema"}},
	{"template_thread", []string{"templateThread"}},      // at the request of a locked M, whose thread must not be copied
	{"template_thread", []string{"startTemplateThread"}}, // the template thread itself, at the first LockOSThread
	{"locked_park", []string{"stoplockedm"}},             // a locked M parks and gives its P away
	{"locked_exit", []string{"mexit"}},                   // an M ends and gives its P away
	{"sysmon_handoff", []string{"handoffp", "retake"}},   // sysmon takes the P of an M in a long system call
	{"syscall_handoff", []string{"entersyscallblock"}},   // an M gives its P away before it blocks
	{"for_each_p", []string{"handoffp", "forEachP"}},     // a P of an M in a system call has to do something
	{"gc_worker", []string{"gcBgMarkStartWorkers"}},
	{"gc_worker", []string{"gcStart"}},
	{"gc_worker", []string{"gcMarkDone"}},
	{"scheduler_enable", []string{"schedEnableUser"}}, // user goroutines may run again
	{"inject", []string{"injectglist"}},               // goroutines that network or timers made runnable
	{"spinning_wake", []string{"wakep"}},              // more to run than Ms that look for it
	{"spinning_wake", []string{"startm", "resetspinning"}},
	{"spinning_wake", []string{"startm", "ready"}},
	{"spinning_wake", []string{"startm", "newproc1"}},
	{"spinning_wake", []string{"startm", "newproc"}},
	{"spinning_wake", []string{"startm", "sysmon"}}, // the scavenger, or timers that nobody serves
	{"runtime_init", []string{"newm", "main"}},      // runtime.main starts sysmon
}

// How a locked thread comes to wait in the scheduler: for a goroutine that was given up because of a preemption.
var parkRules = []rule{
	{causeGivenUp, []string{"stoplockedm", "preemptPark"}},
	{causeGivenUp, []string{"stoplockedm", "gopreempt_m"}},
}

// Why the runtime sends SIGURG: the callers of preemptone, preemptall and suspendG.
var preemptRules = []rule{
	{"for_each_p", []string{"forEachP"}},
	{"stop_the_world", []string{"stopTheWorldWithSema"}},
	{"stop_the_world", []string{"freezetheworld"}},
	{"sysmon_retake", []string{"retake"}},
	{"gc_stack_scan", []string{"suspendG", "markroot"}},
	{"gc_stack_scan", []string{"suspendG", "gcDrain"}},
	{"gc_stack_scan", []string{"suspendG", "gcDrainMarkWorkerIdle"}},
	{"gc_worker", []string{"enlistWorker"}}, // a P shall help to mark
	{"trace", []string{"suspendG", "traceAdvance"}},
}

// Why the world is stopped, by who stops it: stwReason in runtime/proc.go, and the strings that came before it.
var stopReasons = []struct{ function, reason string }{
	{"gcStart", "GC sweep termination"},
	{"gcMarkDone", "GC mark termination"},
	{"GOMAXPROCS", "GOMAXPROCS"},
	{"SetDefaultGOMAXPROCS", "GOMAXPROCS"},
	{"updateMaxProcsGoroutine", "GOMAXPROCS"},
	{"updateMaxProcsG", "GOMAXPROCS"},
	{"ReadMemStats", "ReadMemStats"},
	{"Stack", "stacks of all goroutines"},
	{"goroutineProfileWithLabelsConcurrent", "goroutine profile"},
	{"goroutineProfileWithLabelsSync", "goroutine profile"},
	{"goroutineProfileWithLabels", "goroutine profile"},
	{"GoroutineProfile", "goroutine profile"},
	{"goroutineLeakProfileWithLabelsConcurrent", "goroutine leak profile"},
	{"ThreadCreateProfile", "thread profile"},
	{"StartTrace", "start of tracing"},
	{"traceEnable", "start of tracing"},
	{"StopTrace", "end of tracing"},
	{"traceAdvance", "end of tracing"},
	{"traceStop", "end of tracing"},
	{"doAllThreadsSyscall", "system call on all threads"},
	{"syscall_runtime_doAllThreadsSyscall", "system call on all threads"},
	{"AllThreadsSyscall", "system call on all threads"},
	{"debug_WriteHeapDump", "heap dump"},
	{"runtime_debug_WriteHeapDump", "heap dump"},
	{"freezetheworld", "crash"},
}

type classKey struct {
	what  string
	stack uint64
}

// reason is a class of something, one for all stacks that say the same.
type reason struct {
	reasonKey
	part part // the cause's
}

type reasonKey struct {
	what string
	class
}

func (c *Correlator) reason(what string, k class) *reason {
	key := reasonKey{what, k}
	r := c.reasons[key]
	if r == nil {
		r = &reason{key, partOf(Population{Cause: k.cause})}
		c.reasons[key] = r
	}
	return r
}

// class is what a stack says, remembered.
func (c *Correlator) class(what string, stack uint64) *reason {
	if c.replaced {
		return c.reason(what, class{cause: causeUnknown})
	}
	key := classKey{what, stack}
	r := c.classes[key]
	if r == nil {
		r = c.reason(what, classify(what, c.cfg.Stack(stack)))
		c.classes[key] = r
	}
	return r
}

// countCreation finds out why a thread was created.
func (c *Correlator) countCreation(t, parent *thread, at events.Time) {
	stack := uint64(0)
	if t.cloneEnter != 0 && parent.spans[spanClone].begin == t.cloneEnter {
		stack = parent.clonedFrom
	}
	k := c.class(whatCreate, stack)
	if k.cause == causeCgo && (t.byGo || c.cfg.Light) {
		k = c.reason(whatCreate, class{cause: causeUnknown}) // the runtime asked C code to, or may have, and C's frames hide what for
	}
	t.createdFor = k
	t.born = group{locked: lockedPart(parent.lockKind()), cause: k.part}
	c.countCause(k, stack, at)
}

// countExit finds out why a thread calls exit: its goroutine exited while locked, or something else.
func (c *Correlator) countExit(t *thread, stack uint64, at events.Time) {
	t.end.locked = lockedPart(t.lockKind())
	k := class{cause: causeOther}
	switch {
	case t.lockKind() == events.LockOrphan:
		k = class{cause: causeLocked}
		if last := c.lastPin(t); last != 0 { // what held it when it was looked at last may have been another goroutine
			k.function = userFunction(c.callers(last))
		}
		c.count(at, func(w *window) *uint64 { return &w.exitedLocked })
	case c.cfg.Light: // nobody has looked since it last left its CPU
		k.cause, t.end.locked = causeUnknown, partUnknown
	case t.end.locked == partUnknown, heldByUser(t.lockKind()): // or the record that said how the hold ended was lost
		k.cause = causeUnknown
	default:
		if !c.replaced {
			k.function = userFunction(c.cfg.Stack(stack))
		}
	}
	r := c.reason(whatExit, k)
	t.end.cause = r.part
	c.countCause(r, stack, at)
}

func (c *Correlator) countCause(r *reason, stack uint64, at events.Time) {
	w := c.inner(at, at)
	if w == nil {
		return
	}
	w.causes[r]++
	if r.cause == causeOther {
		w.others[classKey{r.what, stack}]++
	}
}

// maxUnclassified is how many stacks of no class a Result shows.
const maxUnclassified = 10

func (c *Correlator) causeRows(w *window) (rows []Cause, others []Stack) {
	for k, n := range w.causes {
		rows = append(rows, Cause{What: k.what, Cause: k.cause, Reason: k.reason, Function: k.function, N: n})
	}
	slices.SortFunc(rows, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(b.N, a.N), cmp.Compare(a.Cause, b.Cause),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Function, b.Function))
	})
	for k, n := range w.others {
		if frames := c.cfg.Stack(k.stack); len(frames) > 0 {
			others = append(others, Stack{What: k.what, Frames: frameNames(frames), N: n})
		}
	}
	slices.SortFunc(others, func(a, b Stack) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.What, b.What), slices.Compare(a.Frames, b.Frames))
	})
	return rows, others[:min(len(others), maxUnclassified)]
}

// classify says what a stack, innermost function first, tells of a thread's creation or a signal's sending.
func classify(what string, frames []Frame) class {
	if len(frames) == 0 {
		return class{cause: causeUnknown}
	}
	k := class{cause: causeOther, function: userFunction(frames)}
	rules := preemptRules
	switch what {
	case whatCreate:
		rules = createRules
		if frames[0].Func == "" && !onStack(frames, []string{"newm"}) {
			k.cause = causeCgo
			return k
		}
	case whatPark:
		rules = parkRules
	}
	for _, r := range rules {
		if onStack(frames, r.all) {
			k.cause = r.cause
			break
		}
	}
	if k.cause == "stop_the_world" {
		k.reason = stopReason(frames)
	}
	return k
}

func onStack(frames []Frame, all []string) bool {
	for _, name := range all {
		if !slices.ContainsFunc(frames, func(f Frame) bool { return isRuntimeFunc(f.Func, name) }) {
			return false
		}
	}
	return true
}

// isRuntimeFunc reports whether function is runtime.name, a method of that name or a closure in it.
func isRuntimeFunc(function, name string) bool {
	rest, ok := strings.CutPrefix(function, "runtime.")
	if !ok {
		return false
	}
	if strings.HasPrefix(rest, "(") {
		_, rest, ok = strings.Cut(rest, ").")
		if !ok {
			return false
		}
	}
	return rest == name || strings.HasPrefix(rest, name+".func")
}

func stopReason(frames []Frame) string {
	for _, f := range frames {
		for _, r := range stopReasons {
			if isRuntimeFunc(f.Func, r.function) {
				return r.reason
			}
		}
	}
	return causeUnknown
}

// userFunction is the innermost function that is neither the runtime's nor C's; "" when there is none.
func userFunction(frames []Frame) string {
	for _, f := range frames {
		switch {
		case f.Func == "", !strings.Contains(f.Func, "."):
		case strings.HasPrefix(f.Func, "runtime."), strings.HasPrefix(f.Func, "runtime/"), strings.HasPrefix(f.Func, "internal/runtime/"):
		default:
			return f.Func
		}
	}
	return ""
}
