package report

import (
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
)

// bias is the mean time that pinwatch's kernel programs have added to a sample of a cost, ns; the
// statistics contain it. It is nil when the program runs inside the cost were not counted, or one
// of the programs was not timed.
func bias(c *correlate.Cost, overhead []Overhead) *float64 {
	if c.Own == nil {
		return nil
	}
	var ns float64
	for name, run := range c.Own {
		i := slices.IndexFunc(overhead, func(o Overhead) bool { return o.Name == name })
		if i < 0 {
			return nil
		}
		ns += float64(run.Halves) / 2 * overhead[i].DispatchNS
		switch {
		case run.Bodies == 0:
		case overhead[i].NS == nil:
			return nil
		default:
			ns += float64(run.Bodies) * *overhead[i].NS
		}
	}
	return ratio(ns, float64(c.Hist.N()))
}
