package findings

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// childrenKilled finds children that got a signal because the thread that made them ended, while
// their process went on. One is enough: nobody asks for that (man 2 prctl, PR_SET_PDEATHSIG:
// "parent" is the thread).
func childrenKilled(o *observed) []Finding {
	if len(o.ParentDeaths) == 0 {
		return nil
	}
	var threads, children uint64
	for _, d := range o.ParentDeaths {
		threads += d.Threads
		children += d.Children
	}
	most := &o.ParentDeaths[0]
	signal := unix.SignalName(unix.Signal(most.Signal))
	if signal == "" {
		signal = fmt.Sprintf("signal %d", most.Signal)
	}
	processes := "1 child process"
	if children > 1 {
		processes = unit.Count(children) + " child processes"
	}
	f := Finding{ID: "children-killed-by-thread-exit", Severity: warn,
		Message: fmt.Sprintf("%s%s got %s in %s although this process goes on: %s that had started them ended",
			o.atLeast(), processes, signal,
			unit.ShortDuration(float64(o.ns)), unit.Plural(threads, "thread")),
		Advice: "Pdeathsig is sent when the thread that started the child ends, not the process: start such children " +
			"from a goroutine that calls LockOSThread and lives as long as they do, or from one that never ends; " +
			"or leave Pdeathsig out",
		Evidence: map[string]any{"children": children, "threads": threads, "signal": signal,
			"function": orNil(most.Function), "function_children": most.Children, "lossy": !o.complete},
	}
	if o.NotGo {
		f.Advice = "a parent death signal (PR_SET_PDEATHSIG) is sent when the thread that started the child ends, not the " +
			"process: start such children from a thread that lives as long as they do, or leave the signal out"
	}
	if most.Function != "" {
		f.Message += fmt.Sprintf("; %d of them of %s", most.Children, goroutineOf(most.Function))
	}
	return []Finding{f}
}
