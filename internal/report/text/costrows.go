package text

import (
	"strconv"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// costRow is a row of the cost table. A part covers some samples of the row above it.
type costRow struct {
	*report.Cost
	part bool
}

// dimension is a way to split the samples of a phase.
type dimension func(c *report.Cost) bool

func byLocked(c *report.Cost) bool { return c.Locked != "" }
func byCause(c *report.Cost) bool  { return c.Cause != nil }
func byState(c *report.Cost) bool  { return c.State != nil }

// shown returns the rows of a statement: those over all samples, each followed by its parts along
// every dimension. A bound that exists for one state only is a row by itself.
func shown(costs []report.Cost, id string) (rows []costRow) {
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
		for _, along := range []dimension{byLocked, byCause, byState} {
			rows = append(rows, parts(costs, c, along)...)
		}
	}
	return rows
}

// parts returns the parts of a row along one dimension that have samples.
func parts(costs []report.Cost, whole *report.Cost, along dimension) (rows []costRow) {
	for i := range costs {
		c := &costs[i]
		same := c.ID == whole.ID && c.Phase == whole.Phase && or(c.Bound, "") == or(whole.Bound, "")
		if same && along(c) && c.N > 0 {
			rows = append(rows, costRow{c, true})
		}
	}
	return rows
}

// starred is true for a row whose median is compared with the specification.
func (c costRow) starred() bool { return c.Star && !c.part }

// bracketed is true when the phase is measured by bounds. Elsewhere a bound means lost samples.
func bracketed(c *report.Cost) bool {
	return c.Bound != nil && phases[c.Phase+" "+*c.Bound] != ""
}

// name is the row's first cell: the phase, marked where it is a bound, or what a part has in
// common.
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

// words explains the row in at most 18 runes.
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

// samples is n, marked where lost records make it a lower bound. A page with one unit has plain numbers.
func (p *page) samples(c costRow) string {
	n := uint64(c.N)
	switch {
	case p.unit != "":
		return strconv.FormatUint(n, 10)
	case c.Bound == nil || bracketed(c.Cost):
		return unit.SixRunes(n)
	case n < 10_000:
		return "≥" + unit.Count(n)
	}
	return "≥" + unit.Scaled(float64(n))
}
