package observe

import (
	"cmp"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// reading is the M of a thread as read from memory at a moment.
type reading struct {
	time  events.Time
	tid   uint32
	nsTID int32 // in pinwatch's PID namespace
	m     goruntime.M
	err   error
}

// maxReaders limits the goroutines that read a process's memory: more of them wait for each other
// at its lock.
const maxReaders = 8

// readings reads every thread's M and returns them in the order of their moments. Several
// goroutines read at once: a process may have ten thousand threads.
func (p *Program) readings(threads []loader.ThreadInfo, now func() events.Time) []reading {
	readings := make([]reading, len(threads))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(maxReaders, runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(threads); i = next.Add(1) - 1 {
				r := reading{time: now(), tid: threads[i].KernelTID, nsTID: threads[i].TID}
				r.m, r.err = p.readM(threads[i])
				readings[i] = r
			}
		})
	}
	readers.Wait()
	slices.SortStableFunc(readings, func(a, b reading) int { return cmp.Compare(a.time, b.time) })
	return readings
}

// readMs reads from the process's memory which M each thread is and what holds it, for threads that
// have not reported that themselves, and returns what it read. It sends no event of what cannot be
// read, and of what contradicts itself because the thread runs meanwhile; nor of an M that is not in
// the runtime's list, where that list can be read.
func (p *Program) readMs(
	threads []loader.ThreadInfo, now func() events.Time, out func(*events.Event),
) []reading {
	readings := p.readings(threads, now)
	var listed map[uint64]bool
	if !p.checked { // once, before the window: a target can make that take seconds
		p.checked = true
		// After the readings: an M is in the list before it has a thread, until it is about to end.
		listed = p.listedMs()
	}
	for _, r := range readings {
		switch {
		case errors.Is(r.err, goruntime.ErrForeign):
			out(lockEvent(r, events.LockForeign, goruntime.M{}))
		case r.err != nil, listed != nil && !listed[r.m.Addr]:
		default:
			if e, ok := p.threadM(r); ok {
				out(&e)
			}
			if kind, ok := lockKinds[r.m.Lock]; ok {
				out(lockEvent(r, kind, r.m))
			}
			p.lockProved = p.lockProved || r.m.Lock == goruntime.LockUser
			if r.m.Role == goruntime.RoleSysmon {
				p.sysmonTID = r.nsTID
			}
		}
	}
	return readings
}

// listedMs is the set of the Ms in the runtime's list; nil where that cannot be read whole.
func (p *Program) listedMs() map[uint64]bool {
	listed, err := p.Runtime.MAddresses()
	if err != nil {
		return nil
	}
	return listed
}

func (p *Program) readM(t loader.ThreadInfo) (goruntime.M, error) {
	if t.M != 0 {
		return p.Runtime.MAt(t.M, t.NSTID)
	}
	return p.Runtime.ThreadM(t.GBase, t.NSTID)
}

// threadM is the ThreadM event of a reading; false when the M's role is unknown.
func (p *Program) threadM(r reading) (events.Event, bool) {
	e := events.Event{Time: r.time, TID: r.tid, Kind: events.ThreadM}
	e.Args[events.ArgM], e.Args[events.ArgMID], e.Args[events.ArgMRead] = r.m.Addr, uint64(r.m.ID), 1
	switch r.m.Role {
	case goruntime.RoleSysmon:
		e.Args[events.ArgMStart] = p.Info.Sysmon
	case goruntime.RoleTemplate:
		e.Args[events.ArgMStart] = p.Info.TemplateThread
	case goruntime.RoleCgoExtra:
		e.Args[events.ArgExtra] = 1
	case goruntime.RoleUnknown:
		return e, false
	}
	return e, true
}

var lockKinds = map[string]uint8{
	goruntime.LockNone:    events.LockNone,
	goruntime.LockUser:    events.LockUser,
	goruntime.LockRuntime: events.LockRuntime,
	goruntime.LockExiting: events.LockOrphan,
	goruntime.LockWedged:  events.LockOrphan,
}

// lockEvent is the Lock event of a reading.
func lockEvent(r reading, kind uint8, m goruntime.M) *events.Event {
	e := &events.Event{Time: r.time, TID: r.tid, Kind: events.Lock, Flags: kind}
	e.Args[events.ArgGoID], e.Args[events.ArgEntry] = m.GoID, m.EntryPC
	e.Args[events.ArgExt], e.Args[events.ArgInt] = uint64(m.Ext), uint64(m.Int)
	if m.Parked {
		e.Args[events.ArgParked] = 1
	}
	e.Args[events.ArgRead] = 1
	return e
}
