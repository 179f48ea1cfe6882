package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
)

func threadsCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "threads",
		Usage:     "list a process's threads now: which M, which goroutine, locked by whom",
		Category:  "observe",
		ArgsUsage: "[PID]",
		Description: `A ps of the Go runtime's threads. It reads memory and /proc. It neither stops nor changes anything.
First come groups: how many threads which function holds, in which call. Then each thread, those locked by LockOSThread
first.

  role       main, sysmon, template, worker; cgo_extra: a C thread that runs Go; foreign: a C thread without M;
             io_worker: made by the kernel for its own work, as io_uring does
  lock       user×2: LockOSThread, two deep; runtime: by Go itself; exiting, wedged: the goroutine exited while locked
  goid       the locked goroutine, else the one that the thread runs
  goroutine  the system call it is in, without a name for it "in a call"; in C: it has called C; runs; parked: locked
             and does not run; idle: the thread has none, and the runtime keeps it for later; ended: the thread has
             ended while it was read or, the main one, before the others
  function   the one that a locked goroutine began with, else the innermost one on its stack that is not the standard
             library's, else the thread's name in brackets
  kernel     state as in ps, and the function it sleeps in

Who created a thread, and since when it is locked, can't be seen afterwards. "attach" reports what happens while it
observes.

Examples:
  pinwatch threads -p 4242
  pinwatch threads -p 4242 --by function -w 1s
  pinwatch threads -p 4242 --by function --stacks
  sudo pinwatch threads -p $(pidof renderd) -o json | jq '.threads[] | select(.lock == "user")'

Your own processes need no privileges where ptrace is not restricted. Other users' processes need CAP_SYS_PTRACE and
CAP_DAC_READ_SEARCH. A stripped program has no symbol for its list of threads: asking the kernel instead takes CAP_BPF
and CAP_PERFMON.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "pid", Aliases: []string{"p"}, Usage: "`PID` of the process"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Usage: "`FORMAT`: text or json", Value: "text"},
			&cli.StringFlag{Name: "by", Usage: "only groups of threads, by `WHAT`: " + strings.Join(report.Groupings, ", ")},
			&cli.BoolFlag{Name: "stacks", Usage: "with the stack of each thread's goroutine"},
			&cli.StringFlag{Name: "watch", Aliases: []string{"w"},
				Usage: "list again every `TIME` and mark what has changed; Ctrl-C ends it"},
			offsetsFlag(),
			goVersionFlag(),
		},
		Before:          onlyFlagsAndPID,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			o := listOptions{format: c.String("output"), by: c.String("by"), stacks: c.Bool("stacks")}
			if o.format != "text" && o.format != "json" {
				return usagef("-o %s: no such format; it is text or json", o.format)
			}
			if c.IsSet("by") && !slices.Contains(report.Groupings, o.by) {
				return usagef("--by %s: threads can't be grouped by that; it is one of %s", o.by,
					strings.Join(report.Groupings, ", "))
			}
			if c.IsSet("offsets") && c.String("offsets") == "" {
				return usagef("--offsets needs a file name")
			}
			var err error
			if o.watch, err = parseDuration("-w", c.String("watch"), c.IsSet("watch")); err != nil {
				return err
			}
			if o.program.GoVersion, err = parseRelease(c); err != nil {
				return err
			}
			o.program.Offsets = c.String("offsets")
			if o.pid, err = parsePID(c.String("pid")); err != nil {
				return err
			}
			return threads(c.Context, s, o)
		},
	}
}

// differing describes the threads of the pool that are not as the process is. The rows are those of
// the process's threads.
func differing(pid int, rows []report.ListedThread) (warnings []string) {
	var all, pool []int32
	standard := int32(0)
	for i := range rows {
		pooled, model := findings.InPool(rows[i].Role, rows[i].Lock)
		if pooled {
			pool = append(pool, rows[i].TID)
		} else if model {
			standard = rows[i].TID
		}
		if pooled || model {
			all = append(all, rows[i].TID)
		}
	}
	if len(pool) == 0 {
		return nil
	}
	attributes := observe.ReadAttributes(pid, all)
	warnings = attributes.Warnings()
	slices.Sort(pool)
	for _, f := range findings.Differing(attributes.Compared(), pool, standard) {
		warnings = append(warnings, fmt.Sprintf("%s (tid %s): whatever goroutine runs there has that too",
			f.Message, strings.Trim(fmt.Sprint(f.Evidence["tids"]), "[]")))
	}
	return warnings
}
