package correlate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/correlate/stats"
	"github.com/pinwatch/pinwatch/events"
)

// part is one word of one dimension of a Population: its place in parts. 0 is no word.
type part uint8

// parts are all populations that rows are of: all samples, then one along each dimension.
var parts = allParts()

func allParts() []Population {
	all := []Population{{}}
	add := func(p Population) {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	for _, word := range []string{lockedTrue, lockedFalse, lockedUnknown} {
		add(Population{Locked: word})
	}
	for _, word := range stateNames {
		add(Population{State: word})
	}
	for _, word := range []string{causeOther, causeUnknown, causeLocked, causeCgo} {
		add(Population{Cause: word})
	}
	for _, r := range slices.Concat(createRules, preemptRules) {
		add(Population{Cause: r.cause})
	}
	return all
}

func partOf(p Population) part { return part(max(0, slices.Index(parts, p))) }

// Those that are not looked up once for each stack.
var (
	partTrue, partFalse, partUnknown = partOf(Population{Locked: lockedTrue}), partOf(Population{Locked: lockedFalse}), partOf(Population{Locked: lockedUnknown})

	partCauseUnknown = partOf(Population{Cause: causeUnknown})

	partStates = [...]part{
		events.TargetBlocked:  partOf(Population{State: stateNames[events.TargetBlocked]}),
		events.TargetRunnable: partOf(Population{State: stateNames[events.TargetRunnable]}),
		events.TargetOnCPU:    partOf(Population{State: stateNames[events.TargetOnCPU]}),
		events.TargetUnknown:  partOf(Population{State: stateNames[events.TargetUnknown]}),
	}
)

// group is the Population of one sample, by numbers: millions of samples are counted by it.
type group struct{ locked, cause, state part }

// cost is one row of a window.
type cost struct {
	begun, n    uint64
	outs, ins   uint64  // switch-outs and switch-ins in the middle of samples
	late, moved uint64  // samples that are
	offN        uint64  // samples whose off-CPU time is known
	off         float64 // its sum, ns
	hist        stats.Histogram
	summed      bool // some samples were added up by the kernel side: outs, ins, late and moved are not known
}

// costs are a phase's rows by part, nil where nothing is. The row over all samples is made last, of those by lock: each sample is in one.
type costs [64]*cost

func (k *costs) at(p part) *cost {
	if k[p] == nil {
		k[p] = &cost{}
	}
	return k[p]
}

func (k *costs) begin(of group) {
	k.at(of.locked).begun++
	if of.cause != 0 {
		k.at(of.cause).begun++
	}
	if of.state != 0 {
		k.at(of.state).begun++
	}
}

func (k *costs) add(s *sample) {
	k.at(s.locked).add(s)
	if s.cause != 0 {
		k.at(s.cause).add(s)
	}
	if s.state != 0 {
		k.at(s.state).add(s)
	}
}

func (k *cost) add(s *sample) {
	k.n++
	k.switches(s)
	if s.late {
		k.late++
	}
	if s.moved {
		k.moved++
	}
	if !s.vague {
		k.offN++
		k.off += float64(s.off)
	}
	k.hist.Add(int64(s.end - s.begin))
}

// switches counts the scheduler's work in the middle of a sample.
func (k *cost) switches(s *sample) {
	outs, ins := s.outs, s.outs
	if s.away {
		outs--
	}
	if s.phase == phaseResume && ins > 0 {
		ins-- // the last one ends it
	}
	k.outs += uint64(outs)
	k.ins += uint64(ins)
}

// merge adds the samples of another row.
func (k *cost) merge(o *cost) {
	k.begun += o.begun
	k.n += o.n
	k.outs += o.outs
	k.ins += o.ins
	k.late += o.late
	k.moved += o.moved
	k.offN += o.offN
	k.off += o.off
	k.hist.Merge(&o.hist)
	k.summed = k.summed || o.summed
}

// all is the row over all samples.
func (k *costs) all() *cost {
	var all cost
	for _, p := range [...]part{0, partTrue, partFalse, partUnknown} {
		if k[p] != nil {
			all.merge(k[p])
		}
	}
	return &all
}

// costRows lists every phase that is measured, the row over all samples first and then its parts along each dimension.
func (w *window) costRows(light bool) []Cost {
	var rows []Cost
	for p := range phaseCount {
		if light && !phases[p].light {
			continue
		}
		k := &w.costs[p]
		rows = append(rows, w.costRow(p, Population{}, k.all()))
		first := len(rows)
		for i := 1; i < len(parts); i++ {
			if k[i] != nil {
				rows = append(rows, w.costRow(p, parts[i], k[i]))
			}
		}
		slices.SortFunc(rows[first:], func(a, b Cost) int { return comparePopulations(a.Population, b.Population) })
		for i := first - 1; light && p == phaseDeliver && i < len(rows); i++ {
			rows[i].Own = nil // most of what signal_generate's program does comes before: the stack
		}
	}
	return rows
}

// comparePopulations orders by dimension, locked first, then by word; what is not known comes last.
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

func wordRank(p Population) int {
	return slices.Index([]string{"true", "false", "on_cpu", "runnable", "blocked", causeOther, "unknown"}, p.Locked+p.Cause+p.State)
}

func (w *window) costRow(p phase, of Population, k *cost) Cost {
	spec := &phases[p]
	row := Cost{ID: spec.id, Phase: spec.name, Bound: spec.bound, Hist: k.hist, Unfinished: k.begun - min(k.n, k.begun), Own: OwnRuns{}}
	row.Population = of
	if spec.oneThread && k.offN > 0 {
		off := k.off / float64(k.offN)
		row.OffCPU = &off
	}
	for _, part := range spec.own {
		row.Own.add(part, k.n)
	}
	row.Own.add(within("sched_switch_out"), k.outs)
	row.Own.add(within("sched_switch_in"), k.ins)
	row.Own.add(within("sched_migrate_task"), k.moved)
	switch p {
	case phaseHandoffWake:
		row.Own.add(working("sched_waking"), k.n-k.late)
		row.Own.add(working("sched_switch_out"), k.late)
	case phaseHandoffCPU:
		row.Own.add(working("sched_waking"), k.n-k.late)
	}
	if k.summed {
		row.Own = nil
	}
	if spec.warning != "" && k.n > 0 {
		row.Warnings = append(row.Warnings, spec.warning)
	}
	for _, kind := range spec.needs {
		if n := w.loss.ByKind[kind.String()]; n > 0 {
			row.Warnings = append(row.Warnings, fmt.Sprintf("%d %s records lost: samples are missing, n is a lower bound", n, kind))
			if row.Bound == "" {
				row.Bound = "lower"
			}
		}
	}
	if n := w.loss.ByKind[events.Switch.String()]; n > 0 && spec.oneThread && !slices.Contains(spec.needs, events.Switch) {
		row.Warnings = append(row.Warnings, fmt.Sprintf("%d switch records lost: off-CPU time is a lower bound", n))
	}
	return row
}
