package correlate

import (
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
	summed               bool // the kernel side added up some samples: their outs, ins, fromSwitchOut and moved are not known
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
