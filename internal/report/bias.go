package report

import (
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
)

// bias is how much longer our own programs have made a sample of a cost, ns: its mean is contained in the statistics. Nil when it was
// not counted what of them lies inside, or one of those has not been timed.
func bias(c *correlate.Cost, own []Own) *float64 {
	if c.Overhead == nil {
		return nil
	}
	var ns float64
	for name, run := range c.Overhead {
		i := slices.IndexFunc(own, func(o Own) bool { return o.Name == name })
		if i < 0 {
			return nil
		}
		ns += float64(run.Halves) / 2 * own[i].DispatchNS
		switch {
		case run.Bodies == 0:
		case own[i].NS == nil:
			return nil
		default:
			ns += float64(run.Bodies) * *own[i].NS
		}
	}
	return ratio(ns, float64(c.Hist.N()))
}
