package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// program is the Go program in the target, as far as it can be read. Its zero value is one of which nothing can.
type program struct {
	runtime *goruntime.Runtime
	symbols *goruntime.Symbols
	info    *goruntime.Info // nil: no Go program, or nothing could be read of it
	checked bool            // the Ms have been held against the runtime's list
}

func (p *program) close() {
	if p.runtime != nil {
		p.runtime.Close()
	}
}

// locks says whether the Ms' locks can be read.
func (p *program) locks() bool {
	return p.info != nil && p.info.Offsets != nil && p.info.GSlot != nil
}

// correlation is what the correlator has to know of the program.
func (p *program) correlation(stacks *events.Stacks) correlate.Config {
	cfg := correlate.Config{Locks: p.locks()}
	if p.info != nil {
		cfg.AsyncPreempt, cfg.Sysmon, cfg.TemplateThread = p.info.AsyncPreempt, p.info.Sysmon, p.info.TemplateThread
	}
	if p.symbols != nil {
		cfg.Stack = func(id uint64) []correlate.Frame { return p.frames(stacks.PCs(id)) }
		cfg.Func = p.symbols.EntryName
	}
	return cfg
}

// frames names the functions of a stack, inlined ones too. Of code that is not the Go program's, the place is kept, without a
// name. All but the first are return addresses: the call lies before them.
func (p *program) frames(pcs []uint64) []correlate.Frame {
	var frames []correlate.Frame
	for i, pc := range pcs {
		if i > 0 {
			pc--
		}
		named := p.symbols.Frames(pc)
		if named == nil {
			frames = append(frames, correlate.Frame{})
		}
		for _, f := range named {
			frames = append(frames, correlate.Frame(f))
		}
	}
	return frames
}

// reading is what memory said of a thread at a moment.
type reading struct {
	at  events.Time
	tid uint32
	m   goruntime.M
	err error
}

// readersAtOnce is how many read a process's memory: more would wait for each other at its lock.
const readersAtOnce = 8

// readings reads every thread's M, several at once, as a process may have ten thousand threads; in the order of their moments.
func (p *program) readings(threads []loader.ThreadInfo) []reading {
	readings := make([]reading, len(threads))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(readersAtOnce, runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(threads); i = next.Add(1) - 1 {
				r := reading{at: now(), tid: threads[i].KernelTID}
				r.m, r.err = p.m(threads[i])
				readings[i] = r
			}
		})
	}
	readers.Wait()
	slices.SortStableFunc(readings, func(a, b reading) int { return cmp.Compare(a.at, b.at) })
	return readings
}

// ms reads from the process's memory which M each thread is and what holds it, for threads that have not said so themselves.
// What can't be read, or contradicts itself since the thread runs meanwhile, is left out; as is an M that the runtime does not have
// in its own list, where that can be read.
func (p *program) ms(threads []loader.ThreadInfo, out func(*events.Event)) {
	readings := p.readings(threads)
	var listed map[uint64]bool
	if !p.checked { // once, before the window: a target can make that take seconds
		p.checked = true
		listed = p.listed() // after the readings: an M is listed before it has a thread, and until that is about to end
	}
	for _, r := range readings {
		switch {
		case errors.Is(r.err, goruntime.ErrForeign):
			out(&events.Event{Time: r.at, TID: r.tid, Kind: events.Lock, Flags: events.LockForeign, Args: readLock(goruntime.M{})})
		case r.err != nil, listed != nil && !listed[r.m.Addr]:
		default:
			if e, ok := p.threadM(r.at, r.tid, r.m); ok {
				out(&e)
			}
			if kind, ok := lockKinds[r.m.Lock]; ok {
				out(&events.Event{Time: r.at, TID: r.tid, Kind: events.Lock, Flags: kind, Args: readLock(r.m)})
			}
		}
	}
}

// listed is the set of the Ms in the runtime's own list; nil where that can't be read whole.
func (p *program) listed() map[uint64]bool {
	listed, err := p.runtime.MAddresses()
	if err != nil {
		return nil
	}
	return listed
}

func (p *program) m(t loader.ThreadInfo) (goruntime.M, error) {
	if t.M != 0 {
		return p.runtime.MAt(t.M, t.NSTID)
	}
	return p.runtime.ThreadM(t.GBase, t.NSTID)
}

// threadM is the event that says which M a thread is.
func (p *program) threadM(at events.Time, tid uint32, m goruntime.M) (events.Event, bool) {
	e := events.Event{Time: at, TID: tid, Kind: events.ThreadM}
	e.Args[events.ArgM], e.Args[events.ArgMID], e.Args[events.ArgMRead] = m.Addr, uint64(m.ID), 1
	switch m.Role {
	case goruntime.RoleSysmon:
		e.Args[events.ArgMStart] = p.info.Sysmon
	case goruntime.RoleTemplate:
		e.Args[events.ArgMStart] = p.info.TemplateThread
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

func readLock(m goruntime.M) (args [8]uint64) {
	args[events.ArgGoID], args[events.ArgEntry] = m.GoID, m.EntryPC
	args[events.ArgExt], args[events.ArgInt] = uint64(m.Ext), uint64(m.Int)
	if m.Parked {
		args[events.ArgParked] = 1
	}
	args[events.ArgRead] = 1
	return args
}

// openProgram reads what the process runs. The error says why little or nothing can be read; the program holds the rest.
func openProgram(pid int, offsets string) (*program, error) {
	p := &program{}
	rt, err := goruntime.Open(pid, goruntime.Options{Offsets: offsets})
	if err != nil {
		return p, err
	}
	p.runtime, p.info = rt, &rt.Info
	if p.symbols, err = rt.Symbols(); err != nil {
		err = fmt.Errorf("functions have no names: %w", err)
	}
	return p, err
}
