package report

import (
	"cmp"
	"slices"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// costRow is a row of the cost table. A part is over some of the samples of the row it stands under.
type costRow struct {
	*Cost
	part bool
}

// dimension is a way to split the samples of a phase.
type dimension func(c *Cost) bool

func byLocked(c *Cost) bool { return c.Locked != "" }
func byCause(c *Cost) bool  { return c.Cause != nil }
func byState(c *Cost) bool  { return c.State != nil }

// splits are the dimensions that tell most of a phase; the text has no room for the others, which JSON and --verbose have.
var splits = map[string][]dimension{
	"P-8 clone_syscall": {byCause},
	"P-9 exit":          {byCause},
	"P-5 deliver":       {byState, byLocked},
	"P-5 kernel":        {byLocked},
	"P-6 resume":        {byCause},
}

// mostParts is how many parts of one dimension the text shows, those with most samples.
const mostParts = 4

// shown picks the rows of a statement that the text has room for: those over all samples, and under each its parts along
// the dimensions of splits. A bound that exists for one state only is a row by itself.
func shown(costs []Cost, id string, verbose bool) (rows []costRow) {
	whole := map[string]bool{}
	for i := range costs {
		c := &costs[i]
		if c.ID != id {
			continue
		}
		key := c.Phase + " " + or(c.Bound, "")
		if byLocked(c) || byCause(c) || byState(c) {
			if !whole[key] && byState(c) && !byLocked(c) && !byCause(c) {
				rows = append(rows, costRow{Cost: c})
			}
			continue
		}
		whole[key] = true
		rows = append(rows, costRow{Cost: c})
		dims := splits[c.ID+" "+c.Phase]
		if verbose {
			dims = []dimension{byLocked, byCause, byState}
		}
		for _, along := range dims {
			rows = append(rows, parts(costs, c, along, verbose)...)
		}
	}
	return rows
}

// parts are the parts of a row along one dimension that have samples. One part alone would only repeat the row.
func parts(costs []Cost, whole *Cost, along dimension, verbose bool) (rows []costRow) {
	for i := range costs {
		c := &costs[i]
		same := c.ID == whole.ID && c.Phase == whole.Phase && or(c.Bound, "") == or(whole.Bound, "")
		if same && along(c) && c.N > 0 {
			rows = append(rows, costRow{c, true})
		}
	}
	if verbose {
		return rows
	}
	if len(rows) < 2 {
		return nil
	}
	if len(rows) > mostParts {
		slices.SortStableFunc(rows, func(a, b costRow) int { return cmp.Compare(b.N, a.N) })
		rows = rows[:mostParts]
	}
	return rows
}

// starred says whether the specification's range is held against this row.
func (c costRow) starred() bool { return c.Star && !c.part }

// bracketed says whether the phase is measured by bounds. Elsewhere a bound only tells of lost samples.
func bracketed(c *Cost) bool {
	return c.Bound != nil && phases[c.Phase+" "+*c.Bound] != ""
}

// name marks bounds, where what is measured is not the cost itself, and names a part of the row above by what it is a part of.
func (c costRow) name() string {
	switch {
	case c.part && c.Locked != "":
		return "· " + c.lockWord()
	case c.part && c.Cause != nil:
		return "· " + *c.Cause
	case c.part && c.State != nil:
		return "· " + *c.State
	case bracketed(c.Cost) && *c.Bound == "lower":
		return c.Phase + " ≥"
	case bracketed(c.Cost):
		return c.Phase + " ≤"
	}
	return c.Phase
}

func (c costRow) words() string {
	switch {
	case c.part && c.Locked != "":
		return phases[c.lockWord()]
	case c.part && c.State != nil:
		return phases[*c.State]
	case bracketed(c.Cost):
		return phases[c.Phase+" "+*c.Bound]
	}
	return phases[c.Phase]
}

func (c costRow) lockWord() string {
	switch c.Locked {
	case "true":
		return "locked"
	case "false":
		return "unlocked"
	}
	return "lock ?"
}

// samples is n, marked where lost records make it a bound.
func (c costRow) samples() string {
	n := uint64(c.N)
	switch {
	case c.Bound == nil || bracketed(c.Cost):
		return unit.SixRunes(n)
	case n < 10_000:
		return "≥" + unit.Count(n)
	}
	return "≥" + unit.Scaled(float64(n))
}
