package truth

import (
	"fmt"
	"math"
	"slices"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// checkReport compares the report with the moments that it was made from: counts, and each cost's
// number of samples, least, most and mean. They are counted here in another way, so a wrong report
// passes only when both ways are wrong.
func (w *witnessed) checkReport() (problems []string) {
	count := func(what string, match func(moment) bool) uint64 {
		n := uint64(0)
		for _, m := range w.seen {
			if m.what == what && match(m) {
				n++
			}
		}
		return n
	}
	all := func(moment) bool { return true }
	const pending = 2 // TRACE_SIGNAL_ALREADY_PENDING, include/trace/events/signal.h
	c := w.report.Counts
	for _, n := range []struct {
		name      string
		got, want uint64
	}{
		{"threads created", c.ThreadsCreated, count(newTask, all)},
		{"threads exited", c.ThreadsExited, count(doExit, all)},
		{"threads ended", c.ThreadsExited + c.ThreadsKilled, count(processExit, all)},
		{"SIGURG sent", *c.SigurgSent, count(doTgkill, all)},
		{"SIGURG generated", c.SigurgGenerated, count(generate, all)},
		{"SIGURG coalesced", c.SigurgCoalesced, count(generate, func(m moment) bool { return m.arg == pending })},
		{"SIGURG foreign", c.SigurgForeign, count(generate, func(m moment) bool { return !w.lived[m.by] })},
		{"SIGURG delivered", c.SigurgDelivered, count(deliver, all)},
		{"switches", c.Switches, count(goOff, all)},
	} {
		if n.got != n.want {
			problems = append(problems, fmt.Sprintf("%s: the report has %d, its events %d", n.name, n.got, n.want))
		}
	}
	for name, intervals := range w.seen.intervals(w.lived) {
		row := w.row(name)
		if name[1] != '-' {
			continue // no cost
		}
		if row == nil {
			problems = append(problems, name+": not in the report")
			continue
		}
		least, most, sum := int64(math.MaxInt64), int64(0), 0.0
		for _, iv := range intervals {
			least, most, sum = min(least, iv.ns()), max(most, iv.ns()), sum+float64(iv.ns())
		}
		mean := sum / float64(len(intervals))
		// The mean is printed to six digits.
		if row.N != int64(len(intervals)) || *row.Min != least || *row.Max != most ||
			math.Abs(*row.Mean-mean) > 1+mean/1e5 {
			problems = append(problems, fmt.Sprintf(
				"%s: the report has %d samples from %d to %d ns, mean %.0f; its events %d from %d to %d, mean %.0f",
				name, row.N, *row.Min, *row.Max, *row.Mean, len(intervals), least, most, mean))
		}
	}
	return problems
}

// row is the report's over all samples of "ID phase"; nil when there is none.
func (w *witnessed) row(name string) *report.Cost {
	i := slices.IndexFunc(w.report.Costs, func(c report.Cost) bool {
		return c.ID+" "+c.Phase == name && c.Locked == "" && c.Cause == nil && c.State == nil && c.N > 0
	})
	if i < 0 {
		return nil
	}
	return &w.report.Costs[i]
}

// checkMoves compares switches and migrations with bpftrace's, over all threads and for each that
// the report lists.
func (w *witnessed) checkMoves() (problems []string) {
	if w.lastCPU == nil {
		return nil // no bpftrace
	}
	all, byThread := witness.CountSwitches(w.switches, w.lastCPU, w.report.Window.StartNS, w.end())
	check := func(what string, switches, migrations uint64, want witness.SwitchCount) {
		if switches != want.Switches || migrations != want.Migrations {
			problems = append(problems, fmt.Sprintf("%s: %d switches and %d migrations, bpftrace has %+v", what,
				switches, migrations, want))
		}
	}
	check("all threads", w.report.Counts.Switches, w.report.Counts.Migrations, all)
	type sums struct{ switches, migrations uint64 }
	of := map[int32]sums{}
	for _, th := range w.report.Threads {
		s := of[th.TID] // a tid may have been used again
		of[th.TID] = sums{s.switches + th.Switches, s.migrations + th.Migrations}
	}
	if len(w.report.Threads) < len(w.before)+int(w.report.Counts.ThreadsCreated) {
		return problems // it lists the busiest only, and of a tid used again maybe one
	}
	for tid := range byThread {
		check(fmt.Sprintf("thread %d", tid), of[tid].switches, of[tid].migrations, byThread[tid])
	}
	return problems
}

// checkThreads compares the threads alive at the end with /proc's, and these with those at the
// start.
func (w *witnessed) checkThreads() (problems []string) {
	var alive []int32
	for _, th := range w.report.Threads {
		if th.ExitNS == nil {
			alive = append(alive, th.TID)
		}
	}
	slices.Sort(alive)
	slices.Sort(w.after)
	if c := w.report.Counts; !slices.Equal(alive, w.after) || int(c.Threads) != len(alive) {
		problems = append(problems, fmt.Sprintf("%d threads alive: %v; /proc has %v", c.Threads, alive, w.after))
	} else if len(w.before)+int(c.ThreadsCreated) != len(w.after)+int(c.ThreadsExited+c.ThreadsKilled) {
		problems = append(problems, fmt.Sprintf("%d threads, then %+v, and then %d", len(w.before), c, len(w.after)))
	}
	return problems
}

// checkAccount compares with the workload's account.
func (w *witnessed) checkAccount() (problems []string) {
	a, window := w.account, w.report.Window
	if a.Start < window.StartNS || a.End > window.EndNS {
		problems = append(problems, fmt.Sprintf("the activity from %d to %d is not in the window %+v", a.Start, a.End,
			window))
	}
	if w.report.Counts.ThreadsExited != a.LockedExits {
		problems = append(problems, fmt.Sprintf("%d threads exited, the workload ended %d",
			w.report.Counts.ThreadsExited, a.LockedExits))
	}
	if w.report.Counts.Switches < a.Handoffs/2 {
		problems = append(problems, fmt.Sprintf("%d switches in %d hand-offs", w.report.Counts.Switches, a.Handoffs))
	}
	return problems
}
