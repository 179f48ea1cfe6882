package observe

import (
	"io/fs"
	"slices"
	"strconv"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/loader"
)

// pauses reads whether the target is allowed to run. Nothing is hooked for that: it is read when the
// buffers are emptied, and the turns around such a moment show when the pause began and ended. One
// that is shorter than the time between two reads can be missed. A nil *pauses reads nothing.
type pauses struct {
	pid       int
	freezers  []procfs.Freezer
	limited   bool  // by a quota
	quotasErr error // why it is not known whether it has one
	// throttled lists the CPUs on which a quota does not let the target run; nil where it has no quota.
	throttled func() ([]loader.ThrottledCPU, uint64, error)

	lastRead events.Time
	allowed  events.Time   // the last moment at which the process was read as neither stopped nor frozen
	paused   bool          // at lastRead
	free     []events.Time // by CPU: the last moment at which it was not throttled
}

// openPauses prepares for reading; nil where /proc is not of this PID namespace.
func openPauses(root fs.FS, pid int) *pauses {
	if !procfs.ShowsOurNamespace() {
		return nil
	}
	process := strconv.Itoa(pid)
	p := &pauses{pid: pid, freezers: procfs.FindFreezers(root, process)}
	var quotas []procfs.Quota
	quotas, p.quotasErr = procfs.ReadQuotas(root, process)
	p.limited = p.quotasErr == nil && len(quotas) > 0
	return p
}

// hasQuota reports whether the target has a quota of CPU time.
func (p *pauses) hasQuota() bool { return p != nil && p.limited }

// read pushes what it finds as events. It does nothing when it was called a moment ago.
func (p *pauses) read(now func() events.Time, push func(*events.Event)) error {
	if p == nil || p.lastRead != 0 && now().Sub(p.lastRead) < pollEvery {
		return nil
	}
	return p.readNow(now, push)
}

func (p *pauses) readNow(now func() events.Time, push func(*events.Event)) error {
	if p == nil {
		return nil
	}
	at := now() // before the state: the process may go on at any time
	flags := p.state()
	switch {
	case flags != 0:
		push(&events.Event{Kind: events.Paused, Time: at, Flags: flags, Args: [8]uint64{
			events.ArgNotBefore: uint64(p.allowed)}})
	case p.paused:
		push(&events.Event{Kind: events.Paused, Time: now()})
	}
	if flags == 0 {
		p.allowed = at
	}
	p.paused, p.lastRead = flags != 0, at
	return p.readThrottled(push)
}

// state returns why no thread of the target may run, as flags of a Paused; 0 = they may.
func (p *pauses) state() (flags uint8) {
	if stopped(p.pid) {
		flags |= events.PausedStopped
	}
	for i := range p.freezers {
		if p.freezers[i].Frozen() {
			flags |= events.PausedFrozen
		}
	}
	return flags
}

// mostTraced is how many threads are read to see whether a debugger has stopped all of them.
const mostTraced = 256

// stopped reports whether a process is stopped as a whole. A signal stops all threads: any of them
// shows it (kernel/signal.c, do_signal_stop). A tracer may stop some only.
func stopped(pid int) bool {
	leader, err := procfs.Thread(pid, int32(pid)).Stat()
	switch {
	case err != nil:
		return false
	case leader.State == 'T':
		return true
	case leader.State != 't' && leader.State != 'Z' && leader.State != 'X': // or it has ended, and other threads go on
		return false
	}
	states := procfs.Process(pid).ThreadStates(mostTraced + 1)
	running := func(state byte) bool { return state != 'T' && state != 't' }
	return len(states) > 0 && len(states) <= mostTraced && !slices.ContainsFunc(states, running)
}

func (p *pauses) readThrottled(push func(*events.Event)) error {
	if p.throttled == nil {
		return nil
	}
	cpus, moment, err := p.throttled()
	if err != nil {
		return err
	}
	held := map[uint16]bool{}
	for _, c := range cpus {
		for int(c.CPU) >= len(p.free) {
			p.free = append(p.free, 0)
		}
		held[c.CPU] = true
		push(&events.Event{Kind: events.Throttled, Time: events.Time(c.Time), CPU: c.CPU, Args: [8]uint64{
			events.ArgNotBefore: uint64(p.free[c.CPU]), events.ArgBanUntil: c.Until}})
	}
	for cpu := range p.free {
		if !held[uint16(cpu)] && moment != 0 {
			p.free[cpu] = events.Time(moment)
		}
	}
	return nil
}
