package report

import (
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/contract"
)

// newCost is the row of one cost; programs are needed to turn runs of our own kernel programs into time.
func newCost(c *correlate.Cost, loss correlate.Loss, programs []Program) Cost {
	row := Cost{
		ID:         c.ID,
		Phase:      c.Phase,
		Locked:     Ternary(c.Locked),
		Cause:      known(c.Cause),
		State:      known(c.State),
		Unit:       "ns",
		N:          c.Hist.N(),
		Bound:      known(c.Bound),
		Unfinished: c.Unfinished,
		Hist:       [][2]int64{},
		Warnings:   append([]string{}, c.Warnings...),
	}
	if row.N > 0 {
		row.Mean = ptr(round(c.Hist.Mean()))
		row.Min, row.Max = ptr(c.Hist.Min()), ptr(c.Hist.Max())
		row.P50, row.P90 = ptr(c.Hist.Quantile(0.5)), ptr(c.Hist.Quantile(0.9))
		row.P99, row.P999 = ptr(c.Hist.Quantile(0.99)), ptr(c.Hist.Quantile(0.999))
		row.Bias = bias(c, programs)
		if c.OffCPU != nil {
			row.OffCPU = ptr(round(*c.OffCPU))
		}
	}
	for _, b := range c.Hist.Bars(histBars) {
		row.Hist = append(row.Hist, [2]int64{b.Hi, b.N})
	}
	if v, ok := contract.Judge(c, loss); ok {
		row.Star = true
		row.RangeNS = &[2]int64{v.Range.Lo, v.Range.Hi}
		row.Verdict = ptr(string(v.Word))
		row.Holds = ptr(v.Holds())
		if v.N > 0 {
			row.InRange = ptr(round(v.Within))
		}
	}
	return row
}

// bias is the mean time per sample, in ns, that our own programs ran inside a cost; nil when their runs were not counted or
// the time of a run is not known for each of them.
func bias(c *correlate.Cost, programs []Program) *float64 {
	if c.Hooks == nil {
		return nil
	}
	var ns float64
	for name, runs := range c.Hooks {
		i := slices.IndexFunc(programs, func(p Program) bool { return p.Name == name })
		switch {
		case runs == 0:
		case i < 0 || programs[i].NSPerRun == nil:
			return nil
		default:
			ns += float64(runs) * *programs[i].NSPerRun
		}
	}
	return ratio(ns, float64(c.Hist.N()))
}
