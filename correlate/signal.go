package correlate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/events"
)

// signal is one SIGURG that the target sends to one of its threads.
type signal struct {
	holders              uint32      // sending, pending and handling of threads, and samples that wait
	enter                events.Time // of tgkill
	why                  *reason
	stack                uint64
	generated, delivered events.Time
	reached              bool   // it was generated for a thread of the target, delivered or not
	of                   group  // the lock of its target thread and the cause of the sending
	state                part   // where its target thread was when it was generated
	send                 sample // the sender's side, complete once sendEnded is set
	sendEnded            bool
}

// unsent stands in thread.handling for a signal without a known sender.
var unsent = &signal{}

// signalPool holds the signals that can be used again.
type signalPool struct{ unusedSignals []*signal }

// maxUnusedSignals bounds the signals that wait for reuse. More are not on their way at one time
// unless thousands of threads are sent one.
const maxUnusedSignals = 1024

// take returns a signal with one holder.
func (p *signalPool) take() *signal {
	last := len(p.unusedSignals) - 1
	if last < 0 {
		return &signal{holders: 1}
	}
	sig := p.unusedSignals[last]
	p.unusedSignals = p.unusedSignals[:last]
	*sig = signal{holders: 1}
	return sig
}

// hold puts a signal into a place, in place of the one that may be there.
func (p *signalPool) hold(place **signal, sig *signal) {
	sig.holders++
	p.release(place)
	*place = sig
}

// release empties a place. Signals without a holder are used again; one whose holder is forgotten
// is not.
func (p *signalPool) release(place **signal) {
	sig := *place
	*place = nil
	if sig == nil || sig == unsent {
		return
	}
	if sig.holders--; sig.holders == 0 && len(p.unusedSignals) < maxUnusedSignals {
		p.unusedSignals = append(p.unusedSignals, sig)
	}
}

// withState returns the signal's group with the state of its target thread.
func (s *signal) withState() group {
	of := s.of
	of.state = s.state
	return of
}

// Results of signal_generate: include/trace/events/signal.h.
const (
	resultDelivered      = 0
	resultAlreadyPending = 2
)

func (c *Correlator) tgkillEnter(e *events.Event) {
	t := c.threadOf(e.TID)
	t.openSpan(spanTgkill, e.Time)
	k := c.program.reasonOf(cause.Preempt, e.Args[events.ArgStack])
	c.samples.release(&t.sending)
	t.sending = c.samples.take()
	t.sending.enter, t.sending.why, t.sending.stack = e.Time, k, e.Args[events.ArgStack]
	t.sending.of = group{locked: partUnknown, cause: k.part}
	if c.cfg.Light {
		return // it belongs to a signal_generate, which follows and is counted
	}
	c.sendStop(t, e.Time)
	c.windows.countCause(k, t.sending.stack, e.Time)
	c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.sent })
}

func (c *Correlator) signalGenerate(e *events.Event) {
	t := c.threadOf(e.TID)
	result := e.Args[events.ArgResult]
	c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.counts.SigurgGenerated })
	if result == resultAlreadyPending {
		c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.counts.SigurgCoalesced })
	}
	if uint32(e.Args[events.ArgSenderTGID]) != c.cfg.TGID {
		c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.counts.SigurgForeign })
		if result == resultDelivered && e.Args[events.ArgGroup] == 0 {
			c.samples.release(&t.pending) // the process's pending signals are another queue
		}
		return
	}
	sig := c.threadOf(uint32(e.Args[events.ArgSender])).sending
	if sig == nil || sig.enter != events.Time(e.Args[events.ArgTgkillEnter]) || e.Args[events.ArgGroup] != 0 {
		return // not by tgkill, or its enter was lost
	}
	if c.cfg.Light {
		c.sendStop(c.threadOf(uint32(e.Args[events.ArgSender])), e.Time)
		c.windows.countCause(sig.why, sig.stack, e.Time)
	}
	if !sig.reached { // it is for a thread of the target, not for another process
		sig.reached = true
		sig.of.locked = lockedPart(uint8(e.Args[events.ArgTargetLock]))
		c.windows.begin(phaseSend, sig.of, sig.enter)
	}
	if result == resultDelivered { // else not sent after all
		c.expectDelivery(t, sig, e)
	}
}

// expectDelivery begins the intervals that end with the delivery of a signal to a thread.
func (c *Correlator) expectDelivery(t *thread, sig *signal, e *events.Event) {
	sig.generated = e.Time
	sig.state = partStates[events.TargetUnknown]
	if int(e.Flags) < len(partStates) {
		sig.state = partStates[e.Flags]
	}
	c.samples.hold(&t.pending, sig)
	t.openSpan(spanDeliver, e.Time)
	if e.Flags != events.TargetOnCPU {
		t.spans[spanDeliver].outs, t.spans[spanDeliver].offAtStart = 1, true
	} else {
		c.windows.begin(phaseKernelLower, sig.of, sig.enter)
		c.windows.begin(phaseKernelUpper, sig.of, sig.enter)
	}
	c.windows.begin(phaseDeliver, sig.withState(), e.Time)
}

func (c *Correlator) tgkillExit(e *events.Event) {
	t := c.threadOf(e.TID)
	sig := t.sending
	defer c.samples.release(&t.sending)
	c.stops.Sent(&t.stops, e.Time)
	s := t.closeSpan(spanTgkill, phaseSend, e.Time)
	if sig == nil || !sig.reached || s.begin != events.Time(e.Args[events.ArgEnter]) || int64(e.Args[events.ArgRet]) != 0 {
		return // to another process, or failed, or its enter or an earlier exit was lost
	}
	c.samples.hold(&s.sending, sig)
	s.group = sig.of
	c.samples.finish(t, s)
}

func (c *Correlator) signalDeliver(e *events.Event) {
	t := c.threadOf(e.TID)
	c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.counts.SigurgDelivered })
	c.locks.observeKind(t, e.Flags, e.Time, false)
	c.countCallEnd(t, e)
	sig := t.pending
	t.openSpan(spanHandler, e.Time)
	if sig == nil {
		c.samples.release(&t.handling)
		t.handling = unsent
		return
	}
	c.samples.hold(&t.handling, sig)
	c.samples.release(&t.pending)
	sig.delivered = e.Time
	s := t.closeSpan(spanDeliver, phaseDeliver, e.Time)
	s.group = sig.withState()
	c.samples.finish(t, s)
	c.windows.begin(phaseHandler, sig.of, e.Time)
	c.samples.recordKernelBounds(sig)
}

func (c *Correlator) sigreturn(e *events.Event) {
	t := c.threadOf(e.TID)
	sig := t.handling
	if sig == nil {
		return // from another signal's handler
	}
	defer c.samples.release(&t.handling)
	s := t.closeSpan(spanHandler, phaseHandler, e.Time)
	s.group = sig.of
	if t.resume.parkedAt != 0 {
		t.renameSpan(spanResume, spanLastResume)
		t.lastResume = t.resume
	}
	t.dropSpan(spanResume)
	t.resume = resume{}
	switch pc := e.Args[events.ArgValue]; {
	case pc == 0 || c.program.asyncPreempt == 0:
	case pc != c.program.asyncPreempt:
		if sig.why != nil && sig.why.Cause == cause.StopTheWorld {
			c.stops.Interrupted(&t.stops, pc)
		}
		c.windows.count(e.Time, func(l *ledger) *uint64 { return &l.notInjected })
	case lockedPart(t.lockKind()) == partTrue:
		t.openSpan(spanResume, e.Time)
		t.resume.of = group{locked: partTrue, cause: cmp.Or(sig.of.cause, partCauseUnknown)}
	}
	if sig.generated != 0 {
		c.samples.finish(t, s)
	}
}

// callEnd is what SIGURG did to a system call.
type callEnd struct {
	call uint32 // its number
	end  uint8  // events.CallRestarted, CallInterrupted, CallUnknown
	tid  int32  // of the thread; 0 = of those that are not kept apart
}

// callEnds count the calls, and those of them by threads that can run their goroutine only.
type callEnds struct{ n, locked uint64 }

// maxCallEnds bounds what is kept apart.
const maxCallEnds = 4096

// countCallEnd counts the system call that a SIGURG was delivered in.
func (c *Correlator) countCallEnd(t *thread, e *events.Event) {
	w := c.windows.find(e.Time, e.Time)
	if e.Args[events.ArgCallEnd] == 0 || w == nil {
		return
	}
	n := callEnds{n: 1}
	if lockedPart(t.lockKind()) == partTrue {
		n.locked = 1
	}
	w.addCalls(callEnd{uint32(e.Args[events.ArgCall]), uint8(e.Args[events.ArgCallEnd]), t.nsTID}, n)
}

func (l *ledger) addCalls(key callEnd, more callEnds) {
	if _, known := l.calls[key]; !known && len(l.calls) >= maxCallEnds {
		key.tid = 0
	}
	sum := l.calls[key]
	l.calls[key] = callEnds{sum.n + more.n, sum.locked + more.locked}
}

// callRows lists the calls of a ledger, those with most interruptions first.
func callRows(l *ledger) []InterruptedCall {
	rows := map[uint32]*InterruptedCall{}
	for k, n := range l.calls {
		r := rows[k.call]
		if r == nil {
			r = &InterruptedCall{Number: int(k.call)}
			rows[k.call] = r
		}
		switch uint64(k.end) {
		case events.CallInterrupted:
			r.Interrupted += n.n
			r.InterruptedLocked += n.locked
			if k.tid != 0 {
				r.Threads = append(r.Threads, ThreadCalls{k.tid, n.n})
			}
		case events.CallRestarted:
			r.Restarted += n.n
		default:
			r.Unknown += n.n
		}
	}
	var list []InterruptedCall
	for _, number := range slices.Sorted(maps.Keys(rows)) {
		r := rows[number]
		slices.SortFunc(r.Threads, func(a, b ThreadCalls) int {
			return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.TID, b.TID))
		})
		list = append(list, *r)
	}
	slices.SortStableFunc(list, func(a, b InterruptedCall) int {
		return cmp.Or(cmp.Compare(b.Interrupted, a.Interrupted), cmp.Compare(b.Restarted, a.Restarted))
	})
	return list
}
