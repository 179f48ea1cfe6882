package correlate

import (
	"cmp"

	"github.com/pinwatch/pinwatch/events"
)

// signal is one SIGURG that the target sends to one of its threads.
type signal struct {
	holders              uint32      // of sending, pending and handling of threads, and samples that wait
	enter                events.Time // of tgkill
	why                  *reason
	stack                uint64
	generated, delivered events.Time
	reached              bool   // it was generated for a thread of the target, delivered or not
	of                   group  // the target's lock and the sender's cause
	state                part   // where its target was when it was generated
	send                 sample // the sender's side, complete once sent is set
	sent                 bool
}

// unsent is the signal that nobody is known to have sent.
var unsent = &signal{}

// maxIdle is how many signals wait for being used again, at most: more are not under way at one time unless thousands of threads are sent one.
const maxIdle = 1024

// newSignal is a signal that one holds.
func (c *Correlator) newSignal() *signal {
	last := len(c.idle) - 1
	if last < 0 {
		return &signal{holders: 1}
	}
	sig := c.idle[last]
	c.idle = c.idle[:last]
	*sig = signal{holders: 1}
	return sig
}

// hold has a signal take a place where there may be one.
func (c *Correlator) hold(place **signal, sig *signal) {
	sig.holders++
	c.letGo(place)
	*place = sig
}

// letGo empties a place. Signals that nobody holds are used again; one whose holder is forgotten is not.
func (c *Correlator) letGo(place **signal) {
	sig := *place
	*place = nil
	if sig == nil || sig == unsent {
		return
	}
	if sig.holders--; sig.holders == 0 && len(c.idle) < maxIdle {
		c.idle = append(c.idle, sig)
	}
}

// inState is the population that tells where the target was, too.
func (s *signal) inState() group {
	of := s.of
	of.state = s.state
	return of
}

// Results of signal_generate: include/trace/events/signal.h.
const (
	resultDelivered      = 0
	resultAlreadyPending = 2
)

var stateNames = [...]string{events.TargetBlocked: "blocked", events.TargetRunnable: "runnable", events.TargetOnCPU: "on_cpu", events.TargetUnknown: "unknown"}

func (c *Correlator) tgkillEnter(e *events.Event) {
	t := c.known(e.TID)
	t.open(spanTgkill, e.Time)
	k := c.class(whatPreempt, e.Args[events.ArgStack])
	c.letGo(&t.sending)
	t.sending = c.newSignal()
	t.sending.enter, t.sending.why, t.sending.stack = e.Time, k, e.Args[events.ArgStack]
	t.sending.of = group{locked: partUnknown, cause: k.part}
	if c.cfg.Light {
		return // what it tells of is signal_generate, which follows
	}
	c.countCause(k, t.sending.stack, e.Time)
	c.count(e.Time, func(w *window) *uint64 { return &w.sent })
}

func (c *Correlator) signalGenerate(e *events.Event) {
	t := c.known(e.TID)
	result := e.Args[events.ArgResult]
	c.count(e.Time, func(w *window) *uint64 { return &w.counts.SigurgGenerated })
	if result == resultAlreadyPending {
		c.count(e.Time, func(w *window) *uint64 { return &w.counts.SigurgCoalesced })
	}
	if uint32(e.Args[events.ArgSenderTGID]) != c.cfg.TGID {
		c.count(e.Time, func(w *window) *uint64 { return &w.counts.SigurgForeign })
		if result == resultDelivered && e.Args[events.ArgGroup] == 0 {
			c.letGo(&t.pending) // the process's pending signals are another queue
		}
		return
	}
	sig := c.known(uint32(e.Args[events.ArgSender])).sending
	if sig == nil || sig.enter != events.Time(e.Args[events.ArgTgkillEnter]) || e.Args[events.ArgGroup] != 0 {
		return // not by tgkill, or its enter was lost
	}
	if c.cfg.Light {
		c.countCause(sig.why, sig.stack, e.Time)
	}
	if !sig.reached { // it is for a thread of the target, not for another process
		sig.reached = true
		sig.of.locked = lockedPart(uint8(e.Args[events.ArgTargetLock]))
		c.begun(phaseSend, sig.of, sig.enter)
	}
	if result != resultDelivered {
		return // not sent after all
	}
	sig.generated = e.Time
	sig.state = partStates[events.TargetUnknown]
	if int(e.Flags) < len(partStates) {
		sig.state = partStates[e.Flags]
	}
	c.hold(&t.pending, sig)
	t.open(spanDeliver, e.Time)
	if e.Flags != events.TargetOnCPU {
		t.spans[spanDeliver].outs, t.spans[spanDeliver].away = 1, true
	} else {
		c.begun(phaseKernelLower, sig.of, sig.enter)
		c.begun(phaseKernelUpper, sig.of, sig.enter)
	}
	c.begun(phaseDeliver, sig.inState(), e.Time)
}

func (c *Correlator) tgkillExit(e *events.Event) {
	t := c.known(e.TID)
	sig := t.sending
	defer c.letGo(&t.sending)
	s := t.close(spanTgkill, phaseSend, e.Time)
	if sig == nil || !sig.reached || s.begin != events.Time(e.Args[events.ArgEnter]) || int64(e.Args[events.ArgRet]) != 0 {
		return // to another process, or failed, or its enter or an earlier exit was lost
	}
	c.hold(&s.sending, sig)
	s.group = sig.of
	c.finish(t, s)
}

func (c *Correlator) signalDeliver(e *events.Event) {
	t := c.known(e.TID)
	c.count(e.Time, func(w *window) *uint64 { return &w.counts.SigurgDelivered })
	c.observedAs(t, e.Flags, e.Time, false)
	sig := t.pending
	t.open(spanHandler, e.Time)
	if sig == nil {
		c.letGo(&t.handling)
		t.handling = unsent
		return
	}
	c.hold(&t.handling, sig)
	c.letGo(&t.pending)
	sig.delivered = e.Time
	s := t.close(spanDeliver, phaseDeliver, e.Time)
	s.group = sig.inState()
	c.finish(t, s)
	c.begun(phaseHandler, sig.of, e.Time)
	c.kernelBounds(sig)
}

// kernelBounds records, for a target on a CPU, what a preemption costs the kernel at least and at most: send and delivery
// overlap, and the time to delivery is not all CPU time. It is called when the send is complete and when the signal is
// delivered; the later one records.
func (c *Correlator) kernelBounds(sig *signal) {
	if !sig.sent || sig.delivered == 0 || sig.state != partStates[events.TargetOnCPU] {
		return
	}
	lower, upper := sig.send, sig.send
	lower.phase, upper.phase = phaseKernelLower, phaseKernelUpper
	upper.end = max(upper.end, sig.delivered)
	lower.anchor, upper.anchor = sig.enter, sig.enter
	c.record(&lower)
	c.record(&upper)
}

func (c *Correlator) sigreturn(e *events.Event) {
	t := c.known(e.TID)
	sig := t.handling
	if sig == nil {
		return // from another signal's handler
	}
	defer c.letGo(&t.handling)
	s := t.close(spanHandler, phaseHandler, e.Time)
	s.group = sig.of
	if t.resume.parkedAt != 0 {
		t.move(spanLastResume, spanResume)
		t.lastResume = t.resume
	}
	t.drop(spanResume)
	t.resume = resume{}
	switch pc := e.Args[events.ArgValue]; {
	case pc == 0 || c.cfg.AsyncPreempt == 0:
	case pc != c.cfg.AsyncPreempt:
		c.count(e.Time, func(w *window) *uint64 { return &w.notInjected })
	case lockedPart(t.lockKind()) == partTrue:
		t.open(spanResume, e.Time)
		t.resume.of = group{locked: partTrue, cause: cmp.Or(sig.of.cause, partCauseUnknown)}
	}
	if sig.generated != 0 {
		c.finish(t, s)
	}
}
