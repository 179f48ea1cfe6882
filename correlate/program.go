package correlate

import (
	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/events"
)

// program holds what is known of the target's program: its functions, and the causes that its
// stacks show. After an exec nothing is.
type program struct {
	stack     func(id uint64) []Frame
	function  func(pc uint64) string
	ofRuntime func(pc uint64) bool

	// As in Config.
	asyncPreempt, sysmon, templateThread uint64
	locks                                bool

	replaced bool // by an exec: stacks are of functions that are not known
	classes  map[stackKey]*reason
	reasons  map[reasonKey]*reason
}

// stackKey is a stack together with what it may be the cause of.
type stackKey struct {
	what  cause.What
	stack uint64
}

// reason is a class of causes, one for all stacks in it.
type reason struct {
	reasonKey
	part part // the cause's
}

type reasonKey struct {
	what cause.What
	cause.Class
}

func newProgram(cfg *Config) program {
	return program{
		stack: cfg.Stack, function: cfg.Func, ofRuntime: cfg.RuntimeLocks,
		asyncPreempt: cfg.AsyncPreempt, sysmon: cfg.Sysmon, templateThread: cfg.TemplateThread, locks: cfg.Locks,
		classes: map[stackKey]*reason{}, reasons: map[reasonKey]*reason{},
	}
}

// replace forgets the program after an exec.
func (p *program) replace() {
	p.replaced, p.locks = true, false
	p.asyncPreempt, p.sysmon, p.templateThread = 0, 0, 0
}

// reason returns the one reason of a class.
func (p *program) reason(what cause.What, k cause.Class) *reason {
	key := reasonKey{what, k}
	r := p.reasons[key]
	if r == nil {
		r = &reason{key, partOf(Population{Cause: k.Cause})}
		p.reasons[key] = r
	}
	return r
}

// reasonOf returns the reason that a stack shows.
func (p *program) reasonOf(what cause.What, stack uint64) *reason {
	if p.replaced {
		return p.reason(what, cause.Class{Cause: cause.Unknown})
	}
	key := stackKey{what, stack}
	r := p.classes[key]
	if r == nil {
		r = p.reason(what, cause.Classify(what, functionNames(p.stack(stack))))
		p.classes[key] = r
	}
	return r
}

func functionNames(frames []Frame) []string {
	names := make([]string, 0, len(frames))
	for _, f := range frames {
		names = append(names, f.Func)
	}
	return names
}

// callers returns the stack of a call of LockOSThread without that function itself.
func (p *program) callers(stack uint64) []Frame {
	frames := p.stack(stack)
	for len(frames) > 0 && frames[0].Func == "runtime.LockOSThread" {
		frames = frames[1:]
	}
	return frames
}

// siteName returns the place of a call of LockOSThread.
func (p *program) siteName(stack uint64) string {
	if frames := p.callers(stack); len(frames) > 0 {
		return frames[0].String()
	}
	return cause.Unknown
}

func (p *program) isTemplate(t *thread) bool {
	return t.m.known && t.m.start == p.templateThread && t.m.start != 0
}

// role returns what the runtime uses a thread for.
func (p *program) role(t *thread, light bool) string {
	switch {
	case t.ioWorker:
		return "io_worker"
	case t.m.known && t.m.id == 0:
		return "main"
	case t.m.known && t.m.extra:
		return "cgo_extra"
	case t.m.known && t.m.start == 0:
		return "worker"
	case t.m.known && t.m.start == p.sysmon:
		return "sysmon"
	case p.isTemplate(t):
		return "template"
	case t.m.known && p.sysmon != 0 && p.templateThread != 0:
		return "worker"
	case light && t.createdAt != 0: // whether the runtime made it is not known
	case !t.m.known && t.lockKind() == events.LockForeign && !t.byGo && !t.maybeByGo:
		return "foreign"
	}
	return "unknown"
}

// countCreation counts a creation by its cause, which the stack of the parent's clone shows.
func (c *Correlator) countCreation(t, parent *thread, moment events.Time) {
	stack := uint64(0)
	if t.cloneEnter != 0 && parent.spans[spanClone].begin == t.cloneEnter {
		stack = parent.clonedFrom
	}
	k := c.program.reasonOf(cause.Create, stack)
	if k.Cause == cause.Cgo && (t.byGo || t.maybeByGo || c.cfg.Light) {
		// The runtime had C code make the thread, or may have: C's frames hide the runtime's.
		k = c.program.reason(cause.Create, cause.Class{Cause: cause.Unknown})
	}
	if k.Cause == cause.TemplateThread && k.Function != "" {
		c.locks.starter = c.locks.startedBy(parent)
	}
	t.createdFor = k
	t.birth = group{locked: lockedPart(parent.lockKind()), cause: k.part}
	if moment < c.cfg.LocksFrom {
		c.windows.count(moment, func(l *ledger) *uint64 { return &l.madeUnread })
	}
	c.windows.countCause(k, stack, moment)
}

// countExit counts an exit(2) by its cause: the thread's goroutine ended while locked, or other.
func (c *Correlator) countExit(t *thread, stack uint64, moment events.Time) {
	t.death.locked = lockedPart(t.lockKind())
	byC := t.createdFor != nil && t.createdFor.Cause == cause.Cgo
	if t.death.locked == partUnknown && byC && !c.cfg.Light && !c.cfg.OtherRuntimes {
		t.death.locked = partFalse // no goroutine ends with a thread that C code made (runtime.mexit)
	}
	k := cause.Class{Cause: cause.Other}
	switch {
	case t.lockKind() == events.LockOrphan:
		k = cause.Class{Cause: cause.Locked}
		c.locks.findMovedCall(t, 0)
		if last := c.locks.lastPin(t); last != 0 { // the lock last read may have been another goroutine's
			k.Function = c.program.reasonOf(cause.Exit, last).Function
		}
		c.windows.count(moment, func(l *ledger) *uint64 { return &l.exitedLocked })
	case c.cfg.Light: // the lock has not been read since the thread last left its CPU
		k.Cause, t.death.locked = cause.Unknown, partUnknown
	case t.death.locked == partUnknown, heldByUser(t.lockKind()): // or the record of the hold's end was lost
		k.Cause = cause.Unknown
	default:
		k.Function = c.program.reasonOf(cause.Exit, stack).Function
	}
	if t.death.locked == partUnknown && moment < c.cfg.LocksFrom {
		c.windows.count(moment, func(l *ledger) *uint64 { return &l.exitedUnread })
	}
	r := c.program.reason(cause.Exit, k)
	t.death.cause = r.part
	c.windows.countCause(r, stack, moment)
}
