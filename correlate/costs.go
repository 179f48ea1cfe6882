package correlate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/correlate/stats"
	"github.com/pinwatch/pinwatch/events"
)

// part is one word of one dimension of a Population: its index in parts. 0 is no word.
type part uint8

// Words of Population.State, by target_state in bpf/event.h.
var stateNames = [...]string{events.TargetBlocked: "blocked", events.TargetRunnable: "runnable",
	events.TargetOnCPU: "on_cpu", events.TargetUnknown: "unknown"}

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
	for _, word := range append([]string{cause.Other, cause.Unknown, cause.Locked, cause.Cgo}, cause.Words()...) {
		add(Population{Cause: word})
	}
	return all
}

func partOf(p Population) part { return part(max(0, slices.Index(parts, p))) }

// The parts that samples have besides causes.
var (
	partTrue    = partOf(Population{Locked: lockedTrue})
	partFalse   = partOf(Population{Locked: lockedFalse})
	partUnknown = partOf(Population{Locked: lockedUnknown})

	partCauseUnknown = partOf(Population{Cause: cause.Unknown})

	partStates = [...]part{
		events.TargetBlocked:  partOf(Population{State: stateNames[events.TargetBlocked]}),
		events.TargetRunnable: partOf(Population{State: stateNames[events.TargetRunnable]}),
		events.TargetOnCPU:    partOf(Population{State: stateNames[events.TargetOnCPU]}),
		events.TargetUnknown:  partOf(Population{State: stateNames[events.TargetUnknown]}),
	}
)

// group is the Population of one sample by numbers, since millions of samples are counted by it.
type group struct{ locked, cause, state part }

// cost is one row of a window.
type cost struct {
	begun, n             uint64
	outs, ins            uint64  // switch-outs and switch-ins in the middle of samples
	fromSwitchOut, moved uint64  // samples with that property
	offN                 uint64  // samples whose off-CPU time is known
	off                  float64 // its sum, ns
	hist                 stats.Histogram
	summed               bool // the kernel side added up some samples: their switches and moves are not known
}

// costs are a phase's rows by part; nil = no samples. The row over all samples is made last, from
// the rows by lock: each sample is in one of them.
type costs [64]*cost

func (k *costs) row(p part) *cost {
	if k[p] == nil {
		k[p] = &cost{}
	}
	return k[p]
}

func (k *costs) begin(of group) {
	k.row(of.locked).begun++
	if of.cause != 0 {
		k.row(of.cause).begun++
	}
	if of.state != 0 {
		k.row(of.state).begun++
	}
}

func (k *costs) add(s *sample) {
	k.row(s.locked).add(s)
	if s.cause != 0 {
		k.row(s.cause).add(s)
	}
	if s.state != 0 {
		k.row(s.state).add(s)
	}
}

func (k *cost) add(s *sample) {
	k.n++
	k.addSwitches(s)
	if s.fromSwitchOut {
		k.fromSwitchOut++
	}
	if s.moved {
		k.moved++
	}
	if !s.offUnknown {
		k.offN++
		k.off += float64(s.off)
	}
	k.hist.Add(int64(s.end - s.begin))
}

// addSwitches counts the switches in the middle of a sample.
func (k *cost) addSwitches(s *sample) {
	outs, ins := s.outs, s.outs
	if s.offAtStart {
		outs--
	}
	if s.phase == phaseResume && ins > 0 {
		ins-- // the last switch-in ends it
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
	k.fromSwitchOut += o.fromSwitchOut
	k.moved += o.moved
	k.offN += o.offN
	k.off += o.off
	k.hist.Merge(&o.hist)
	k.summed = k.summed || o.summed
}

// all returns the row over all samples.
func (k *costs) all() *cost {
	var all cost
	for _, p := range [...]part{0, partTrue, partFalse, partUnknown} {
		if k[p] != nil {
			all.merge(k[p])
		}
	}
	return &all
}

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

// CompareCosts orders costs as a Result does.
func CompareCosts(a, b *Cost) int {
	if order := cmp.Compare(phaseOf(a), phaseOf(b)); order != 0 {
		return order
	}
	switch all := (Population{}); {
	case a.Population == b.Population:
		return 0
	case a.Population == all:
		return -1
	case b.Population == all:
		return 1
	}
	return comparePopulations(a.Population, b.Population)
}

// phaseOf is the phase of a row. Records that were lost can make any row a lower bound.
func phaseOf(c *Cost) phase {
	return phase(slices.IndexFunc(phases[:], func(p phaseSpec) bool {
		return p.id == c.ID && p.name == c.Phase && (p.bound == "" || p.bound == c.Bound)
	}))
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
			row.Warnings = append(row.Warnings,
				fmt.Sprintf("%d %s records lost: samples are missing, n is a lower bound", n, kind))
			if row.Bound == "" {
				row.Bound = "lower"
			}
		}
	}
	if n := l.loss.UntrackedTurns; n > 0 && len(spec.needs) > 0 {
		row.Warnings = append(row.Warnings,
			fmt.Sprintf("%d switches of threads that had no room: samples are missing, n is a lower bound", n))
		row.Bound = cmp.Or(row.Bound, "lower")
	}
	if n := l.loss.ByKind[events.Switch.String()]; n > 0 && spec.oneThread && !slices.Contains(spec.needs, events.Switch) {
		row.Warnings = append(row.Warnings, fmt.Sprintf("%d switch records lost: off-CPU time is a lower bound", n))
	}
	return row
}

// overhead returns the runs of kernel programs inside the samples; nil = not known.
func (k *cost) overhead(p phase) RunsByProgram {
	if k.summed {
		return nil
	}
	runs := RunsByProgram{}
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

func (o RunsByProgram) add(run programRun, n uint64) {
	if n == 0 {
		return
	}
	sum := o[run.program]
	sum.Bodies += n * run.body
	sum.Halves += n * run.halves
	o[run.program] = sum
}
