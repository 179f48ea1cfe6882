package correlate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/events"
)

// skippedKinds are the records that are missing where the kernel skipped runs of a program, by its
// hook. A birth and an end are emitted later all the same (bpf/lifecycle.bpf.h). If a hook is not
// in this table, any number may depend on its records.
var skippedKinds = map[string][]events.Kind{
	"task_newtask":             nil,
	"sched_process_exit":       nil,
	"sched_process_free":       {events.ProcessFree},
	"sys_enter_clone":          {events.CloneEnter},
	"sys_enter_clone3":         {events.CloneEnter},
	"sys_exit_clone":           {events.CloneExit},
	"sys_exit_clone3":          {events.CloneExit},
	"sys_enter_rt_sigprocmask": {events.Sigmask},
	"sys_enter_sigaltstack":    {events.Sigaltstack},
	"sys_enter_exit":           {events.ExitEnter},
	"sys_enter_tgkill":         {events.TgkillEnter},
	"sys_exit_tgkill":          {events.TgkillExit},
	"sys_enter_rt_sigreturn":   {events.Sigreturn},
}

// RecursionMisses is the number of program runs that the kernel skipped.
func (l Loss) RecursionMisses() uint64 {
	var n uint64
	for _, v := range l.Skipped {
		n += v
	}
	return n
}

// Lossy reports whether any number may be wrong. Runs of a program that the kernel skipped are no
// such loss where it is known what they touch: see Missing.
func (l Loss) Lossy() bool {
	for hook, n := range l.Skipped {
		if _, known := skippedKinds[hook]; !known && n > 0 {
			return true
		}
	}
	return l.Total()+l.Late+l.Untracked+l.UntrackedTurns > 0
}

// Missing is how many samples a cost may lack at most because the kernel skipped runs of programs.
// Runs for other processes count, too: the kernel does not distinguish them.
func (l Loss) Missing(c *Cost) (n uint64) {
	for _, hook := range slices.Sorted(maps.Keys(l.Skipped)) {
		if skips(hook, c) {
			n += l.Skipped[hook]
		}
	}
	return n
}

// WarnOfMissing adds a warning to each cost that may lack samples because of skipped runs, and one
// of the creations whose cause depends on a signal mask (of a program with C, see thread.byGo).
func (r *Result) WarnOfMissing() {
	n := r.Loss.Skipped["sys_enter_rt_sigprocmask"]
	if n > 0 && slices.ContainsFunc(r.Causes, func(c Cause) bool { return c.Cause == cause.Cgo }) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the kernel skipped %d runs at rt_sigprocmask: of up to so many "+
			"threads that C made, the runtime may have asked for them", n))
	}
	for i := range r.Costs {
		c := &r.Costs[i]
		if n := r.Loss.Missing(c); n > 0 {
			c.Warnings = append(c.Warnings,
				fmt.Sprintf("the kernel skipped %d runs of programs: up to so many samples are missing", n))
		}
	}
}

// skips reports whether a cost needs a record that a hook's program emits.
func skips(hook string, c *Cost) bool {
	for i := range phases {
		if p := &phases[i]; p.id == c.ID && p.name == c.Phase {
			return slices.ContainsFunc(skippedKinds[hook], func(k events.Kind) bool { return slices.Contains(p.needs, k) })
		}
	}
	return false
}
