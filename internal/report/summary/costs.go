package summary

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/correlate/stats"
)

// costKey is a row of costs. Lower bounds and exact rows of one phase are put together.
type costKey struct {
	id, phase string
	upper     bool
	correlate.Population
}

// cost is a row over many processes.
type cost struct {
	samples    stats.Packed
	lower      bool // of some process it is a lower bound
	unfinished uint64
	biased     int64  // samples whose bias is known
	bias       int64  // their sum, ns
	partial    uint64 // processes with a warning of numbers, such as of records that were lost
	warnings   map[string]bool
}

type costs map[costKey]*cost

// newCosts has the rows over all samples, and the others that have some.
func newCosts(rows []correlate.Cost) costs {
	all := costs{}
	for i := range rows {
		c := &rows[i]
		n := c.Hist.N()
		if c.Population != (correlate.Population{}) && n == 0 && c.Unfinished == 0 {
			continue
		}
		row := &cost{samples: c.Hist.Pack(), lower: c.Bound == "lower", unfinished: c.Unfinished, warnings: map[string]bool{}}
		if c.Bias != nil {
			row.biased, row.bias = n, int64(math.Round(*c.Bias*float64(n)))
		}
		for _, w := range c.Warnings {
			if strings.ContainsAny(w, "0123456789") {
				row.partial = 1
			} else {
				row.warnings[w] = true
			}
		}
		all[costKey{c.ID, c.Phase, c.Bound == "upper", c.Population}] = row
	}
	return all
}

// whole are the rows over all samples.
func (cs costs) whole() costs {
	rows := costs{}
	for key, c := range cs {
		if key.Population == (correlate.Population{}) {
			rows[key] = c
		}
	}
	return rows
}

// add adds the rows of others. It keeps no pointer of them.
func (cs costs) add(others costs) {
	for key, o := range others {
		c := cs[key]
		if c == nil {
			c = &cost{warnings: map[string]bool{}}
			cs[key] = c
		}
		c.samples.Merge(&o.samples)
		c.lower = c.lower || o.lower
		c.unfinished += o.unfinished
		c.biased += o.biased
		c.bias += o.bias
		c.partial += o.partial
		for w := range o.warnings {
			c.warnings[w] = true
		}
	}
}

// rows are the costs as a Result has them, but for the time off the CPU: the mean of a process is over those
// samples of which it is known, and their number is not.
func (cs costs) rows() []correlate.Cost {
	rows := make([]correlate.Cost, 0, len(cs))
	for key, c := range cs {
		row := correlate.Cost{ID: key.id, Phase: key.phase, Population: key.Population, Hist: c.samples.Histogram(),
			Unfinished: c.unfinished}
		switch {
		case key.upper:
			row.Bound = "upper"
		case c.lower:
			row.Bound = "lower"
		}
		if n := c.samples.N(); n > 0 && c.biased == n {
			mean := float64(c.bias) / float64(n)
			row.Bias = &mean
		}
		for w := range c.warnings {
			row.Warnings = append(row.Warnings, w)
		}
		slices.Sort(row.Warnings)
		if c.partial > 0 {
			row.Warnings = append(row.Warnings,
				fmt.Sprintf("of %d processes samples, or their time off the CPU, are missing: records were lost or skipped",
					c.partial))
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b correlate.Cost) int { return correlate.CompareCosts(&a, &b) })
	return rows
}
