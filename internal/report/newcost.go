package report

import (
	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/contract"
)

// newCost is the row of one cost.
func newCost(c *correlate.Cost, loss correlate.Loss) Cost {
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
		if c.Bias != nil {
			row.Bias = ptr(round(*c.Bias))
		}
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
