package correlate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/events"
)

// costRows lists every phase that is measured, the row over all samples first and then its parts
// along each dimension.
func (l *ledger) costRows(light bool) []Cost {
	var rows []Cost
	for p := range phaseCount {
		if light && !phases[p].light {
			continue
		}
		k := &l.costs[p]
		rows = append(rows, l.costRow(p, Population{}, k.all()))
		first := len(rows)
		for i := 1; i < len(parts); i++ {
			if k[i] != nil {
				rows = append(rows, l.costRow(p, parts[i], k[i]))
			}
		}
		slices.SortFunc(rows[first:], func(a, b Cost) int { return comparePopulations(a.Population, b.Population) })
		for i := first - 1; light && p == phaseDeliver && i < len(rows); i++ {
			rows[i].Overhead = nil // most of signal_generate's program runs before its stamp, for the stack
		}
	}
	return rows
}

// comparePopulations orders by dimension, locked first, then by word; "unknown" comes last.
func comparePopulations(a, b Population) int {
	return cmp.Or(cmp.Compare(dimension(a), dimension(b)), cmp.Compare(wordRank(a), wordRank(b)),
		cmp.Compare(a.Locked+a.Cause+a.State, b.Locked+b.Cause+b.State))
}

func dimension(p Population) int {
	switch {
	case p.Locked != "":
		return 0
	case p.Cause != "":
		return 1
	}
	return 2
}

var rankedWords = []string{lockedTrue, lockedFalse, "on_cpu", "runnable", "blocked", cause.Other, cause.Unknown}

func wordRank(p Population) int { return slices.Index(rankedWords, p.Locked+p.Cause+p.State) }

func (l *ledger) costRow(p phase, of Population, k *cost) Cost {
	spec := &phases[p]
	row := Cost{ID: spec.id, Phase: spec.name, Bound: spec.bound, Hist: k.hist, Unfinished: k.begun - min(k.n, k.begun),
		Overhead: k.overhead(p)}
	row.Population = of
	if spec.oneThread && k.offN > 0 {
		off := k.off / float64(k.offN)
		row.OffCPU = &off
	}
	if spec.warning != "" && k.n > 0 {
		row.Warnings = append(row.Warnings, spec.warning)
	}
	for _, kind := range spec.needs {
		if n := l.loss.ByKind[kind.String()]; n > 0 {
			row.Warnings = append(row.Warnings, fmt.Sprintf("%d %s records lost: samples are missing, n is a lower bound", n, kind))
			if row.Bound == "" {
				row.Bound = "lower"
			}
		}
	}
	if n := l.loss.ByKind[events.Switch.String()]; n > 0 && spec.oneThread && !slices.Contains(spec.needs, events.Switch) {
		row.Warnings = append(row.Warnings, fmt.Sprintf("%d switch records lost: off-CPU time is a lower bound", n))
	}
	return row
}

// overhead returns the runs of kernel programs inside the samples; nil = not known.
func (k *cost) overhead(p phase) Overhead {
	if k.summed {
		return nil
	}
	runs := Overhead{}
	for _, r := range phases[p].overhead {
		runs.add(r, k.n)
	}
	runs.add(wholeRun("sched_switch_out"), k.outs)
	runs.add(wholeRun("sched_switch_in"), k.ins)
	runs.add(wholeRun("sched_migrate_task"), k.moved)
	switch p {
	case phaseHandoffWake:
		runs.add(bodyInside("sched_waking"), k.n-k.fromSwitchOut)
		runs.add(bodyInside("sched_switch_out"), k.fromSwitchOut)
	case phaseHandoffCPU:
		runs.add(bodyInside("sched_waking"), k.n-k.fromSwitchOut)
	}
	return runs
}

func (o Overhead) add(run programRun, n uint64) {
	if n == 0 {
		return
	}
	sum := o[run.program]
	sum.Bodies += n * run.body
	sum.Halves += n * run.halves
	o[run.program] = sum
}
