package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/holders"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/observe/windowreport"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/threadlist"
)

// listOptions of the command threads.
type listOptions struct {
	pid     int
	format  string // text, json
	program goruntime.Options
	by      string        // "" = the list of threads
	stacks  bool          // with the goroutines' stacks
	watch   time.Duration // between two reads; 0 = one read
}

// threads writes the list of one process's threads, with watch again and again until the context
// or the process ends.
func threads(ctx context.Context, s streams, o listOptions) error {
	if !procfs.ShowsOurNamespace() {
		return errors.New("/proc is not of this PID namespace, so its PIDs mean other processes; " +
			"mount a /proc of this namespace")
	}
	leader, err := procfs.Leader(o.pid)
	if err != nil {
		return err
	}
	if leader != o.pid {
		return fmt.Errorf("process %d is a thread of process %d: name that", o.pid, leader)
	}
	if stat, err := procfs.Process(o.pid).Stat(); err == nil && stat.Flags&procfs.KernelThread != 0 {
		return fmt.Errorf("process %d is a kernel thread: it runs no user code", o.pid)
	}
	l, err := openThreads(o)
	if err != nil {
		return err
	}
	defer l.program.Close()
	list, err := l.read(ctx)
	if err != nil {
		return err
	}
	if err := o.write(s, list); err != nil || o.watch == 0 {
		return err
	}
	next := time.NewTicker(o.watch)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		before := list
		list, err = l.read(ctx)
		switch {
		case errors.Is(err, os.ErrProcessDone), errors.Is(err, fs.ErrNotExist):
			fmt.Fprintf(s.err, "pinwatch: process %d has ended\n", o.pid)
			return nil
		case err != nil:
			return err
		}
		list.MarkChanges(before)
		if err := o.write(s, list); err != nil {
			return err
		}
	}
}

// openedThreads is a process whose threads are listed.
type openedThreads struct {
	threadlist.Lister
	program  *observe.Program
	target   report.Target
	by       string
	warnings []string
}

// openThreads opens the process.
func openThreads(o listOptions) (*openedThreads, error) {
	l := &openedThreads{by: o.by, target: report.Target{PID: o.pid}, warnings: observe.Conditions(o.pid)}
	l.PID, l.Stacks, l.Namespaces = o.pid, o.stacks, o.by == report.ByNamespace
	if exe, err := procfs.Process(o.pid).Exe(); err == nil && exe != procfs.NoName {
		exe = filepath.Base(exe)
		l.target.Exe = &exe
	}
	p, err := observe.OpenProgram(o.pid, o.program)
	l.program = p
	var option *observe.OptionError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, os.ErrProcessDone), errors.As(err, &option):
		p.Close()
		return nil, namedFlag(err)
	case p.Info == nil:
		l.warnings = append(l.warnings, fmt.Sprintf("kernel side only: %v", err))
	case err != nil:
		l.warnings = append(l.warnings, oneLine(err))
	}
	if p.Info != nil {
		l.target = windowreport.Target(o.pid, p.Info)
		l.target.Plugins, l.target.OtherRuntimes = p.Loaded()
		l.warnings = append(append(l.warnings, observe.Caveats(p.Info)...), p.Notes()...)
		l.Runtime, l.Info, l.OtherRuntimes = p.Runtime, p.Info, len(l.target.OtherRuntimes) > 0
	}
	if p.Symbols != nil {
		l.Function = p.Symbols.EntryName
	}
	l.Holders = holders.NewReader(o.pid, p.Runtime, p.Symbols)
	return l, nil
}

func (l *openedThreads) read(ctx context.Context) (*report.ThreadList, error) {
	rows, warnings, err := l.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", l.PID, err)
	}
	by := l.by
	if by == "" {
		by = report.ByFunction
	}
	warnings = append(append(slices.Clone(l.warnings), warnings...), differing(l.PID, rows)...)
	return report.NewThreadList(l.target, rows, by, warnings), nil
}

// clearScreen moves to the top of a terminal and clears it.
const clearScreen = "\x1b[H\x1b[2J"

// write writes a list. A reader that has seen enough, such as head, is no error.
func (o *listOptions) write(s streams, list *report.ThreadList) (err error) {
	page := text.ListOptions{Options: s.textOptions(s.out), Groups: o.by != ""}
	switch {
	case o.format == "json":
		err = report.WriteThreadListJSON(s.out, list)
	case o.watch == 0:
		err = text.WriteThreadList(s.out, list, page)
	default:
		begin := list.ReadAt + "\n"
		if f, ok := s.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			begin = clearScreen + begin
			if _, height, err := term.GetSize(int(f.Fd())); err == nil {
				page.Height = height - 2 // for the time, and for the cursor
			}
		} else if list.Ended != nil {
			begin = "\n" + begin
		}
		if _, err = fmt.Fprint(s.out, begin); err == nil {
			err = text.WriteThreadList(s.out, list, page)
		}
	}
	if errors.Is(err, syscall.EPIPE) {
		return status(exitOK)
	}
	return err
}
