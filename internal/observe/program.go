package observe

import (
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// Program describes the target's Go program. The zero value is a program that cannot be read: no
// symbols, no offsets.
type Program struct {
	Runtime *goruntime.Runtime
	Symbols *goruntime.Symbols
	Info    *goruntime.Info // nil: no Go program, or one that cannot be read

	loaded

	checked bool // the Ms have been compared with the runtime's list

	sysmonTID int32 // 0 = not known

	// A lock was read that proves the offsets of locks: the M and the goroutine name each other.
	lockProved bool
}

// OpenProgram reads what the process runs. The error is why little or nothing can be read; the
// program holds the rest and is never nil. An OptionError is about what o gives.
func OpenProgram(pid int, o goruntime.Options) (*Program, error) {
	rt, err := goruntime.Open(pid, o)
	return newProgram(rt, err, o)
}

// newProgram makes the program of what was opened with these options, or of the error of that.
func newProgram(rt *goruntime.Runtime, err error, o goruntime.Options) (*Program, error) {
	p := &Program{}
	var table *goruntime.TableError
	var release *goruntime.ReleaseError
	switch {
	case errors.As(err, &table):
		return p, &OptionError{"offsets", err}
	case errors.As(err, &release):
		return p, &OptionError{"go-version", release}
	case err != nil:
		return p, err
	}
	p.Runtime, p.Info = rt, &rt.Info
	if p.Symbols, err = rt.Symbols(); err != nil {
		err = fmt.Errorf("functions have no names: %w", err)
	}
	if !o.NotBegun { // else nothing is loaded yet
		p.newPlugins()
		p.findRuntimes()
	}
	return p, err
}

// Close closes the process's memory.
func (p *Program) Close() {
	if p.Runtime != nil {
		p.Runtime.Close()
	}
}

// infoNow is Info with what may have changed since it was read; nil = as Info.
func (p *Program) infoNow() *goruntime.Info {
	if p.Info == nil {
		return nil
	}
	procs, err := p.Runtime.GOMAXPROCSNow()
	if err != nil {
		return p.Info
	}
	info := *p.Info
	info.GOMAXPROCS = procs
	return &info
}

// noteGOMAXPROCS reads it as soon as the program has set it: the program may end soon.
func (p *Program) noteGOMAXPROCS() {
	if p.Info == nil || p.Info.GOMAXPROCS != 0 {
		return
	}
	if procs, err := p.Runtime.GOMAXPROCSNow(); err == nil {
		p.Info.GOMAXPROCS = procs
		delete(p.Info.Unknown, "GOMAXPROCS")
	}
}

// stopping reads the runtime's account of its stops of the world.
func (p *Program) stopping() (*goruntime.Stopping, error) {
	if p.Runtime == nil {
		return nil, errors.New("the target's Go runtime could not be read")
	}
	return p.Runtime.Stopping()
}

// locks reports whether the Ms' locks can be read.
func (p *Program) locks() bool {
	return p.Info != nil && p.Info.Offsets != nil && p.Info.GSlot != nil
}

// correlation is the part of the correlator's configuration that depends on the program.
func (p *Program) correlation(stacks *events.Stacks) correlate.Config {
	cfg := correlate.Config{Locks: p.locks(), OtherRuntimes: len(p.others) > 0}
	if p.Info != nil {
		cfg.AsyncPreempt, cfg.Sysmon, cfg.TemplateThread = p.Info.AsyncPreempt, p.Info.Sysmon, p.Info.TemplateThread
	}
	if p.Symbols != nil {
		cfg.Stack = func(id uint64) []correlate.Frame { return p.frames(stacks.PCs(id)) }
		cfg.Func = p.Symbols.EntryName
		cfg.Code = func(pc uint64) string {
			if frames := p.Symbols.Frames(pc); len(frames) > 0 {
				return frames[0].Func
			}
			return ""
		}
		cfg.RuntimeLocks = func(pc uint64) bool { return goruntime.RuntimeLocks(p.Symbols.EntryName(pc)) }
	}
	return cfg
}

// goroutines names what threads ran, by tid.
func (p *Program) goroutines(readings []reading) map[int32]findings.Goroutine {
	if p.Symbols == nil {
		return nil
	}
	named := make(map[int32]findings.Goroutine, len(readings))
	for _, r := range readings {
		if r.err == nil && r.m.CurEntryPC != 0 {
			named[r.nsTID] = findings.Goroutine{Entry: p.Symbols.EntryName(r.m.CurEntryPC), InCall: r.m.InCall}
		}
	}
	return named
}

// frames names the functions of a stack, inlined ones too. Code outside the Go program gives a
// frame without a name. All PCs but the first are return addresses: the call lies before them.
func (p *Program) frames(pcs []uint64) []correlate.Frame {
	var frames []correlate.Frame
	for i, pc := range pcs {
		if i > 0 {
			pc--
		}
		named := p.Symbols.Frames(pc)
		if named == nil {
			frames = append(frames, correlate.Frame{})
		}
		for _, f := range named {
			frames = append(frames, correlate.Frame(f))
		}
	}
	return frames
}
