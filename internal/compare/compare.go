// Package compare compares the runs of a program before a change with those after it.
//
// A run is one report, or one line of a benchmark, and the unit of every number: the samples inside a
// run share the state of the machine, so they are no independent evidence. The value of a run is a
// quantile of a cost. The change is the median of NEW/OLD over all pairs of runs (Hodges and Lehmann,
// on logarithms), its interval a bootstrap over runs. Shown is what the rank test of Mann and Whitney
// finds after Holm's correction over all costs compared.
package compare

import (
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/perf/benchmath"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// alpha is the share of comparisons of like with like in which any cost may be shown: a heading that is
	// wrong once in 20 is not believed for long.
	alpha = 0.01
	// fewestRuns of each side are compared: fewer show nothing, even of one cost.
	fewestRuns = 5
	// resolution is how far a quantile of a report may be off, and so the least change that it shows.
	resolution = 0.01
	five       = 1.05
)

// Compare compares each of the new sides with the old one.
func Compare(version string, old *Side, news []*Side) *report.Compared {
	c := &report.Compared{
		Schema: report.ComparedID, Pinwatch: report.Pinwatch{Version: version}, Old: old.compared(),
		Method: report.ComparedMethod{Unit: "run", Estimate: "hodges_lehmann_ratio", Test: "mann_whitney_u",
			Correction: "holm", Alpha: alpha, Interval: "bootstrap_bca", Confidence: confidence, Resamples: resamples,
			Seed: seed, Power: power},
		Warnings: append([]string{}, old.warnings()...),
	}
	var all []*row
	pairs := 0 // with too few runs, too
	for _, s := range news {
		n := report.ComparedNew{ComparedSide: s.compared(), Warnings: append([]string{}, s.warnings()...)}
		n.Differs = differs(old, s)
		n.Warnings = append(n.Warnings, between(old, s, n.Differs)...)
		rows, few := pair(len(c.New), old, s)
		n.TooFew = few
		pairs += few + len(rows)
		all = append(all, rows...)
		c.New = append(c.New, n)
	}
	c.Compared = len(all)
	level := alpha / float64(max(len(all), 1))
	if len(all) == 0 {
		level = alpha / float64(max(pairs, 1))
	}
	c.NeedRuns = needed(level)
	measure(all, level)
	holm(all)
	for _, r := range all {
		r.cost.Shown = r.cost.PAdjusted <= alpha && (r.cost.Lo > 0 || r.cost.Hi < 0)
		c.New[r.side].Costs = append(c.New[r.side].Costs, r.cost)
		c.New[r.side].Conclusive = c.New[r.side].Conclusive || possible(len(r.old), len(r.new), level)
	}
	c.Conclusive = true
	for i := range c.New {
		n := &c.New[i]
		c.Conclusive = c.Conclusive && n.Conclusive
		n.Costs = append([]report.ComparedCost{}, n.Costs...) // [] in JSON, not null
		n.Heading = heading(c, n)
	}
	return c
}

// row is one cost while it is compared.
type row struct {
	side     int
	old, new []float64 // logarithms, ascending
	coarse   bool      // values are within resolution
	cost     report.ComparedCost
}

// pair finds the costs that both sides have in enough runs. few counts the others that both have. A
// cost with the values of an earlier one is that cost by another name: the only population of a whole.
func pair(side int, old, new *Side) (rows []*row, few int) {
	seen, written := map[key]bool{}, map[string]bool{}
	for _, r := range old.runs {
		for _, k := range r.order {
			if seen[k] {
				continue
			}
			seen[k] = true
			a, b := collect(old, k), collect(new, k)
			text := fmt.Sprint(k.id, k.statistic, k.unit, a.Samples, a.Values, b.Samples, b.Values)
			switch {
			case b.Runs == 0 || written[text]:
			case slices.Min(a.Values) <= 0 || slices.Min(b.Values) <= 0: // there is no ratio
				few++
			case a.Runs < fewestRuns || b.Runs < fewestRuns:
				few++
			default:
				rows = append(rows, &row{side: side, old: logs(a.Values), new: logs(b.Values),
					coarse: old.reports || new.reports, cost: report.ComparedCost{ID: k.id, Phase: known(k.phase),
						Bound: known(k.bound), Locked: k.locked, Cause: known(k.cause), State: known(k.state),
						Statistic: k.statistic, Unit: k.unit, Old: a, New: b}})
			}
			written[text] = true
		}
	}
	return rows, few
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// collect gathers one number of all runs that have it.
func collect(s *Side, k key) (c report.ComparedRuns) {
	for _, r := range s.runs {
		if v, ok := r.values[k]; ok {
			c.Values = append(c.Values, v.v)
			c.Samples += v.samples
		}
	}
	if c.Runs = len(c.Values); c.Runs > 0 {
		v := slices.Sorted(slices.Values(c.Values))
		c.Median = (v[(c.Runs-1)/2] + v[c.Runs/2]) / 2
	}
	return c
}

// measure fills in the statistics of each row, of as many at a time as there are CPUs.
func measure(rows []*row, level float64) {
	limits := map[[2]int]int{}
	for _, r := range rows {
		if size := [2]int{len(r.old), len(r.new)}; limits[size] == 0 {
			limits[size] = critical(size[0], size[1], level)
		}
	}
	var wg sync.WaitGroup
	next := make(chan *row)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for r := range next {
				r.measure(limits[[2]int{len(r.old), len(r.new)}], level)
			}
		})
	}
	for _, r := range rows {
		next <- r
	}
	close(next)
	wg.Wait()
}

func (r *row) measure(limit int, level float64) {
	c := &r.cost
	lo, hi := interval(r.old, r.new)
	c.Change, c.Lo, c.Hi = math.Expm1(shift(r.old, r.new)), math.Expm1(lo), math.Expm1(hi)
	c.P = benchmath.AssumeNothing.Compare(sample(r.old), sample(r.new)).P
	least := math.Expm1(smallest(r.old, r.new, limit))
	if math.IsInf(least, 1) {
		return
	}
	if r.coarse {
		least = max(least, resolution)
	}
	c.Smallest = &least
	if runs := runsFor(r.old, r.new, math.Log(five), level); runs > 0 {
		if runs = max(runs, needed(level)); least < five-1 {
			runs = min(runs, max(len(r.old), len(r.new)))
		}
		c.RunsFor5 = &runs
	}
}

func sample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

// holm corrects the p-values for their number (Holm 1979): the chance that any cost of all is shown
// without a change is at most alpha.
func holm(rows []*row) {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b *row) int {
		switch {
		case a.cost.P < b.cost.P:
			return -1
		case a.cost.P > b.cost.P:
			return 1
		}
		return 0
	})
	most := 0.0
	for i, r := range sorted {
		most = max(most, min(1, float64(len(sorted)-i)*r.cost.P))
		r.cost.PAdjusted = most
	}
}

// compared describes a side.
func (s *Side) compared() report.ComparedSide {
	c := report.ComparedSide{Name: s.name, Runs: len(s.runs), LeftOut: append([]report.LeftOut{}, s.leftOut...),
		Environment: map[string]map[string]int{}}
	for _, name := range environments {
		values := map[string]int{}
		for _, r := range s.runs {
			if v := r.environment[name]; v != "" {
				values[v]++
			}
		}
		c.Environment[name] = values
	}
	return c
}

// warnings are those on a side alone.
func (s *Side) warnings() []string {
	notes := slices.Clone(s.notes)
	env := s.compared().Environment
	for _, name := range environments {
		if len(env[name]) > 1 {
			notes = append(notes, fmt.Sprintf("%s: its runs differ in %s: %s", s.name, name, list(env[name])))
		}
	}
	why := map[string]int{}
	for _, l := range s.leftOut {
		why[l.Why]++
	}
	for _, w := range slices.Sorted(maps.Keys(why)) {
		notes = append(notes, fmt.Sprintf("%s: left out %s: %s", s.name, unit.Plural(why[w], "report"), w))
	}
	return notes
}

// differs names what is not the same on both sides. What is not known is not compared.
func differs(old, new *Side) []string {
	names := []string{}
	a, b := old.compared().Environment, new.compared().Environment
	for _, name := range environments {
		_, unknownOld := a[name][unknown]
		_, unknownNew := b[name][unknown]
		if len(a[name]) == 0 || len(b[name]) == 0 || unknownOld || unknownNew {
			continue
		}
		if list(a[name]) != list(b[name]) {
			names = append(names, name)
		}
	}
	return names
}

// list lists values without their counts.
func list(values map[string]int) string {
	return strings.Join(slices.Sorted(maps.Keys(values)), ", ")
}

// between are the warnings on two sides.
func between(old, new *Side, differ []string) (notes []string) {
	if same(old.name, new.name) {
		notes = append(notes, new.name+" is OLD itself: nothing can change")
	}
	if len(differ) > 1 {
		a, b := old.compared().Environment, new.compared().Environment
		var parts []string
		for _, name := range differ {
			parts = append(parts, fmt.Sprintf("%s (%s → %s)", name, list(a[name]), list(b[name])))
		}
		notes = append(notes, fmt.Sprintf("the sides differ in more than one thing, so a change may come from any: %s",
			strings.Join(parts, "; ")))
	}
	if apart(old, new) || apart(new, old) {
		notes = append(notes, "all runs of one side were made before all of the other: if the machine has changed "+
			"meanwhile, that is in every change; take turns")
	}
	return notes
}

// apart is true when all runs of a ended before those of b.
func apart(a, b *Side) bool {
	if len(a.runs) < 2 || len(b.runs) < 2 {
		return false
	}
	for _, r := range a.runs {
		for _, other := range b.runs {
			if r.end.IsZero() || other.end.IsZero() || !r.end.Before(other.end) {
				return false
			}
		}
	}
	return true
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
