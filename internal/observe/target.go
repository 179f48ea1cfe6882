package observe

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Target is the observed process.
type Target struct {
	PID   int
	Exe   string          // name of the executable; "" = not known
	Info  *goruntime.Info // nil: not a Go program, or one that could not be read
	Ended bool            // the process ended in the window

	NotGo bool // with certainty; false where a Go program can't be read

	// Of several targets: a process that executes another program is one target before, and another after.
	HostPID      int         // in the initial PID namespace
	Path         string      // of the executable, as the process sees it; "" = not known
	Started      events.Time // when the process executed the program; 0 = before it was observed
	ExecutedFrom *Execution  // the program before; nil = none that was observed
	Executes     *Execution  // the program after, with which the window ends

	Plugins       []string // files of the plugins that it had loaded when the window settled
	OtherRuntimes []string // files of Go libraries whose own runtime is not observed
}

// Execution is a program that the same process runs before or after.
type Execution struct {
	Exe   string      // name of the executable; "" = not known
	Start events.Time // of its window; 0 = there is none
}

func (t *Target) setExe(path string) {
	if path != procfs.NoName {
		t.Exe, t.Path = filepath.Base(path), path
	}
}

// GOMAXPROCS is the program's, after the window's end; 0 = not known.
func (t *Target) GOMAXPROCS() int {
	if t.Info == nil {
		return 0
	}
	return t.Info.GOMAXPROCS
}

// readTarget reads what the target runs, and warns of what cannot be read. The error means that
// reports about this process would be false, or that a field of Config asks for what is missing.
// The program is never nil.
func (o *observation) readTarget() (*Program, error) {
	const blind = "/proc is not of this PID namespace, so the program cannot be read"
	pid := o.target.PID
	if !procfs.ShowsOurNamespace() {
		o.warnings = append(o.warnings, "kernel side only: "+blind)
		if o.cfg.Sites {
			return &Program{}, &OptionError{"sites", errors.New(blind)}
		}
		if o.cfg.Offsets != "" {
			return &Program{}, &OptionError{"offsets", errors.New(blind)}
		}
		if o.cfg.GoVersion != "" {
			return &Program{}, &OptionError{"go-version", errors.New(blind)}
		}
		return &Program{}, nil
	}
	if !o.cfg.NotBegun { // else the caller traces it, and only until it begins
		o.warnings = Conditions(pid)
	}
	if exe, err := procfs.Process(pid).Exe(); err == nil && o.process == nil {
		o.target.setExe(exe)
	}
	options := goruntime.Options{Offsets: o.cfg.Offsets, GoVersion: o.cfg.GoVersion, NotBegun: o.cfg.NotBegun,
		Files: o.files}
	var p *Program
	var err error
	if o.process != nil {
		rt, why := o.process.Open(options)
		p, err = newProgram(rt, why, options)
	} else {
		p, err = OpenProgram(pid, options)
	}
	var option *OptionError
	if p.Info == nil {
		o.noProgram = err
	}
	switch {
	case errors.As(err, &option):
		return p, err
	case p.Info == nil && o.cfg.Sites:
		err = fmt.Errorf("the program cannot be read: %w; without sites the kernel side can be observed", err)
		return p, &OptionError{"sites", err}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, os.ErrProcessDone):
		return p, nil // it has just ended, or its main thread has
	case errors.Is(err, goruntime.Err32Bit):
		return p, fmt.Errorf("process %d is %w: it cannot be observed", pid, goruntime.Err32Bit)
	case p.Info == nil:
		o.limit(fmt.Errorf("%w: observing the kernel side only", err), fmt.Sprintf("kernel side only: %v", err))
		return p, nil
	case err != nil:
		o.warnings = append(o.warnings, oneLine(err))
	}
	o.described(p)
	return p, nil
}

// described notes what a program is, and what cannot be read of it.
func (o *observation) described(p *Program) {
	o.target.setExe(p.Info.Exe)
	o.target.Info = p.Info
	o.warnings = append(o.warnings, Caveats(p.Info)...)
	if why := p.Info.Unknown["AsyncPreempt"]; why != nil {
		o.warnings = append(o.warnings,
			fmt.Sprintf("injected preemptions cannot be distinguished from others: %v", why))
	}
	if !p.locks() {
		err := cmp.Or(p.Info.Unknown["Offsets"], p.Info.Unknown["GSlot"])
		err = fmt.Errorf("%w: %w", errLocks, err)
		o.limit(err, err.Error())
	}
}

// limit notes why the target can be observed only in part: at once for OnLimit, and as a warning.
func (o *observation) limit(reason error, warning string) {
	o.warnings = append(o.warnings, warning)
	if o.cfg.OnLimit != nil {
		o.cfg.OnLimit(reason)
	}
}

// Caveats lists what makes a Go program harder to read than others.
func Caveats(info *goruntime.Info) (warnings []string) {
	if info.InMemory {
		warnings = append(warnings, "the executable is packed: the Go program was found in memory alone, "+
			"so functions have no names once the process has ended")
	}
	if info.GoVersionGiven {
		warnings = append(warnings, info.GoVersion+" is the release that --go-version names: the program hides its own")
	}
	return warnings
}

// Conditions lists what makes a process's threads behave unusually: it is stopped, frozen or traced.
func Conditions(pid int) (warnings []string) {
	status, err := procfs.Process(pid).Status()
	if err != nil {
		return nil
	}
	if status.State == 'T' {
		warnings = append(warnings, "pinwatch found the process stopped (SIGSTOP)")
	}
	freezers := procfs.FindFreezers(os.DirFS("/"), strconv.Itoa(pid))
	if slices.ContainsFunc(freezers, func(f procfs.Freezer) bool { return f.Frozen() }) {
		warnings = append(warnings, "pinwatch found the process frozen (by its cgroup)")
	}
	if status.TracerPID != 0 {
		pid := status.TracerPID // of the thread that traces
		if leader, err := procfs.Leader(pid); err == nil {
			pid = leader
		}
		tracer := fmt.Sprint("process ", pid)
		if stat, err := procfs.Process(pid).Stat(); err == nil {
			tracer += " (" + stat.Name + ")"
		}
		warnings = append(warnings, fmt.Sprintf("the process is traced (ptrace) by %s: its signals and exits wait for the "+
			"tracer, and so do its system calls if that watches them", tracer))
	}
	return warnings
}
