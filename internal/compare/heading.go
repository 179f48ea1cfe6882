package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// told is how a cost is told to people: its words, the phase that is the whole of it, and the phases
// that are parts of the whole and can hold a change of it.
var told = map[string]struct {
	words, main string
	parts       []string
}{
	"P-5":       {words: "preempting a goroutine", main: "kernel"},
	"P-6":       {words: "resuming a pinned goroutine", main: "resume"},
	"P-8":       {words: "creating a thread", main: "total", parts: []string{"clone_syscall", "runq_wait", "start"}},
	"P-9":       {words: "ending a thread", main: "exit"},
	"X-handoff": {words: "waking a pinned goroutine", main: "wake"},
}

// mostSentences is how many changes a heading tells.
const mostSentences = 3

// heading tells in words what changed: only what is shown after the correction.
func heading(c *report.Compared, n *report.ComparedNew) []string {
	runs := fmt.Sprintf("%d and %d runs", c.Old.Runs, n.Runs)
	if c.Old.Runs == n.Runs {
		runs = unit.Plural(n.Runs, "run")
	}
	switch {
	case len(n.Costs) == 0 && n.TooFew == 0:
		return []string{"nothing can be compared: no cost is in the runs of both sides"}
	case !n.Conclusive:
		return []string{fmt.Sprintf("nothing can be concluded from %s: %s of each side are needed for %s", runs,
			unit.Plural(c.NeedRuns, "run"), unit.Plural(max(c.Compared, n.TooFew), "cost"))}
	case n.Shown() == 0:
		return []string{nothing(n, runs)}
	}
	var firsts []*report.ComparedCost // one of each id
	for i := range n.Costs {
		if a := &n.Costs[i]; a.Shown {
			if at := slices.IndexFunc(firsts, func(b *report.ComparedCost) bool { return a.ID == b.ID }); at < 0 {
				firsts = append(firsts, a)
			} else if rank(a) < rank(firsts[at]) {
				firsts[at] = a
			}
		}
	}
	slices.SortStableFunc(firsts, func(a, b *report.ComparedCost) int {
		return cmp.Compare(math.Abs(math.Log1p(b.Change)), math.Abs(math.Log1p(a.Change)))
	})
	var sentences []string
	for _, a := range firsts[:min(len(firsts), mostSentences)] {
		sentences = append(sentences, sentence(a)+within(n, a))
	}
	if more := len(firsts) - len(sentences); more > 0 {
		sentences = append(sentences, fmt.Sprintf("and %d more changed", more))
	}
	return sentences
}

// nothing says how little the runs could have shown.
func nothing(n *report.ComparedNew, runs string) string {
	text := fmt.Sprintf("nothing changed that %s can show", runs)
	var all []float64
	for i := range n.Costs {
		if s := n.Costs[i].Smallest; s != nil && *s > 0 { // 0: its runs do not differ at all
			all = append(all, *s)
		}
	}
	if len(all) == 0 {
		return text
	}
	slices.Sort(all)
	text += "; the smallest effect they can show is " + percent(all[0])
	if len(all) > 1 {
		text += fmt.Sprintf(", on half of the %s %s or less", unit.Plural(len(all), "cost"), percent(all[len(all)/2]))
	}
	return text
}

// rank orders the changes of one cost: the whole of it first, all samples before populations, typical
// ones before the slowest.
func rank(c *report.ComparedCost) (r int) {
	if !c.Whole() {
		r += 4
	}
	if text(c.Phase) != told[c.ID].main {
		r += 2
	}
	if c.Statistic == "p99" {
		r++
	}
	return r
}

// sentence tells one change.
func sentence(c *report.ComparedCost) string {
	subject, verb := c.ID, []string{"rose by %s", "fell by %s"}
	if t, ok := told[c.ID]; ok {
		subject = t.words
	}
	if c.Unit == "ns" {
		verb = []string{"got %s dearer", "got %s cheaper"}
	} else if c.Unit == "sec/op" {
		verb = []string{"got %s slower", "got %s faster"}
	} else {
		subject = c.Unit + " of " + subject
	}
	if phase := text(c.Phase); phase != "" && phase != told[c.ID].main {
		subject = phase + " of " + subject
	}
	if c.Statistic == "p99" {
		subject = "the p99 of " + subject
	}
	for _, population := range c.Population() {
		subject += " (" + population + ")"
	}
	change, lo, hi, how := c.Change, c.Lo, c.Hi, verb[0]
	if change < 0 {
		change, lo, hi, how = -change, -hi, -lo, verb[1]
	}
	return fmt.Sprintf("%s "+how+" (%s to %s)", subject, percent(change), strings.TrimSuffix(percent(lo), " %"),
		percent(hi))
}

// within tells which phase holds the typical change of a whole cost, of those whose change is shown
// too. Quantiles do not add up exactly, so shares are told in words.
func within(n *report.ComparedNew, whole *report.ComparedCost) string {
	if text(whole.Phase) != told[whole.ID].main || whole.Statistic != "p50" || !whole.Whole() {
		return ""
	}
	total := whole.New.Median - whole.Old.Median
	best, name, shown := 0.0, "", 0
	for i := range n.Costs {
		c := &n.Costs[i]
		if c.ID != whole.ID || c.Statistic != "p50" || !c.Whole() || !c.Shown ||
			!slices.Contains(told[c.ID].parts, text(c.Phase)) || c.Change*whole.Change < 0 {
			continue
		}
		shown++
		if share := (c.New.Median - c.Old.Median) / total; share > best {
			best, name = share, *c.Phase
		}
	}
	switch {
	case best >= 0.9 && shown == 1:
		return ", all of it in " + name
	case best >= 0.5:
		return ", most of it in " + name
	case best > 0:
		return ", part of it in " + name
	}
	return ""
}

// percent writes a share in percent, with two digits.
func percent(share float64) string { return unit.Short(unit.Round(100*share, 2)) + " %" }
