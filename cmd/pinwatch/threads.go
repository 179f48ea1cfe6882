package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/observe/windowreport"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/threadlist"
)

func threadsCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:     "threads",
		Usage:    "list a process's threads now: which M, which goroutine, locked by whom",
		Category: "observe",
		Description: `A ps of the Go runtime's threads. It reads memory and /proc once. It neither stops nor changes
anything. Threads locked by LockOSThread come first. Without a locked goroutine, goid is that of the goroutine the
thread runs, and the thread's name stands in brackets.

  role       main, sysmon, template, worker; cgo_extra: a C thread that runs Go; foreign: a C thread without M;
             io_worker: made by the kernel for its own work, as io_uring does
  lock       user×2: LockOSThread, two deep; runtime: by Go itself; exiting, wedged: the goroutine exited while locked
  goroutine  parked: does not run; runs; in a call: of the system, of C, or to wait for a lock of the runtime
  kernel     state as in ps, and the function it sleeps in

Who created a thread, and since when it is locked, can't be seen afterwards. "attach" reports what happens while it
observes.

Examples:
  pinwatch threads -p 4242
  sudo pinwatch threads -p $(pidof renderd) -o json | jq '.threads[] | select(.lock == "user")'

Your own processes need no privileges where ptrace is not restricted. Other users' processes need CAP_SYS_PTRACE and
CAP_DAC_READ_SEARCH. A stripped program has no symbol for its list of threads: asking the kernel instead takes CAP_BPF
and CAP_PERFMON.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "pid", Aliases: []string{"p"}, Usage: "`PID` of the process"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Usage: "`FORMAT`: text or json", Value: "text"},
			offsetsFlag(),
			goVersionFlag(),
		},
		Before:          onlyFlagsAndPID,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			format := c.String("output")
			if format != "text" && format != "json" {
				return usagef("-o %s: no such format; it is text or json", format)
			}
			if c.IsSet("offsets") && c.String("offsets") == "" {
				return usagef("--offsets needs a file name")
			}
			pid, err := parsePID(c.String("pid"))
			if err != nil {
				return err
			}
			release, err := parseRelease(c)
			if err != nil {
				return err
			}
			return threads(c.Context, s, pid, format, goruntime.Options{Offsets: c.String("offsets"), GoVersion: release})
		},
	}
}

// threads writes the list of one process's threads.
func threads(ctx context.Context, s streams, pid int, format string, o goruntime.Options) error {
	if !procfs.ShowsOurNamespace() {
		return errors.New("/proc is not of this PID namespace, so its PIDs mean other processes; " +
			"mount a /proc of this namespace")
	}
	leader, err := procfs.Leader(pid)
	if err != nil {
		return err
	}
	if leader != pid {
		return fmt.Errorf("process %d is a thread of process %d: name that", pid, leader)
	}
	l := threadlist.Lister{PID: pid}
	target := report.Target{PID: pid}
	if exe, err := procfs.Process(pid).Exe(); err == nil {
		exe = filepath.Base(exe)
		target.Exe = &exe
	}
	warnings := observe.Conditions(pid)
	p, err := observe.OpenProgram(pid, o)
	var table *goruntime.TableError
	var release *goruntime.ReleaseError
	switch {
	case errors.As(err, &release):
		return fmt.Errorf("--go-version: %w", release)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, os.ErrProcessDone), errors.As(err, &table):
		return err
	case p.Info == nil:
		warnings = append(warnings, fmt.Sprintf("kernel side only: %v", err))
	case err != nil:
		warnings = append(warnings, oneLine(err))
	}
	defer p.Close()
	if p.Info != nil {
		target = windowreport.Target(pid, p.Info)
		warnings = append(warnings, observe.Caveats(p.Info)...)
		l.Runtime, l.Info = p.Runtime, p.Info
	}
	if p.Symbols != nil {
		l.Function = p.Symbols.EntryName
	}
	rows, more, err := l.List(ctx)
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	list := report.NewThreadList(target, rows, append(warnings, more...))
	if format == "json" {
		return explainWrite(report.WriteThreadListJSON(s.out, list))
	}
	return explainWrite(text.WriteThreadList(s.out, list, s.textOptions(s.out)))
}
