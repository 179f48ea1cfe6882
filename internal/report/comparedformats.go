package report

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// Words of a comparison, for every format.

// Name is the cost in words of a table: "P-8 runq_wait locked p50".
func (c *ComparedCost) Name() string {
	parts := []string{c.ID}
	for _, s := range []*string{c.Phase, c.Bound} {
		if s != nil {
			parts = append(parts, *s)
		}
	}
	parts = append(parts, c.Population()...)
	if c.Statistic != "value" {
		parts = append(parts, c.Statistic)
	} else if c.Unit != "sec/op" {
		parts = append(parts, c.Unit)
	}
	return strings.Join(parts, " ")
}

// Population names the samples of a cost, nothing for all.
func (c *ComparedCost) Population() (words []string) {
	switch c.Locked {
	case "true":
		words = append(words, "locked")
	case "false":
		words = append(words, "unlocked")
	case "":
	default:
		words = append(words, "lock?")
	}
	for _, s := range []*string{c.Cause, c.State} {
		if s != nil {
			words = append(words, *s)
		}
	}
	return words
}

// Value writes a value of the cost with its unit.
func (c *ComparedCost) Value(v float64) string {
	switch c.Unit {
	case "ns":
		return unit.Duration(v)
	case "sec/op":
		return unit.Duration(1e9 * v)
	}
	return unit.Scaled(v)
}

// ChangeWords writes the change, "~" where none is shown.
func (c *ComparedCost) ChangeWords() string {
	if !c.Shown {
		return "~"
	}
	return signed(c.Change) + " %"
}

// IntervalWords writes the interval: "+9.1 to +15 %".
func (c *ComparedCost) IntervalWords() string { return signed(c.Lo) + " to " + signed(c.Hi) + " %" }

// PWords writes the corrected p-value.
func (c *ComparedCost) PWords() string {
	if c.PAdjusted < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", c.PAdjusted)
}

// SmallestWords writes the smallest effect that these runs show, "–" where they show none.
func (c *ComparedCost) SmallestWords() string {
	if c.Smallest == nil {
		return "–"
	}
	if *c.Smallest >= 10 { // as a share it would be hard to read
		return "× " + unit.Short(unit.Round(1+*c.Smallest, 2))
	}
	return unit.Short(unit.Round(100*(*c.Smallest), 2)) + " %"
}

// RunsWords writes how many runs would show 5 %.
func (c *ComparedCost) RunsWords() string {
	if c.RunsFor5 == nil {
		return "–"
	}
	return unit.SixRunes(uint64(*c.RunsFor5))
}

func signed(share float64) string {
	s := unit.Short(unit.Round(100*share, 2))
	if share > 0 {
		return "+" + s
	}
	return strings.Replace(s, "-", "−", 1)
}

// MethodWords says how the numbers were made, and what was done about their number.
func (c *Compared) MethodWords() []string {
	return []string{
		"the unit is the run, never the sample",
		"change: median of NEW/OLD over all pairs of runs",
		fmt.Sprintf("%.0f %% interval: bootstrap over runs (BCa, %s, seed %d), each for itself",
			100*c.Method.Confidence, unit.Count(c.Method.Resamples), c.Method.Seed),
		fmt.Sprintf("p: rank test (Mann and Whitney), corrected by Holm over %s; shown at %g",
			unit.Plural(c.Compared, "cost"), c.Method.Alpha),
		fmt.Sprintf("smallest shown: found in %.0f %% of trials", 100*c.Method.Power),
	}
}

// Each calls row for each cost that a page shows: all, or only those over all samples and those with a
// change that is shown. It returns how many others there are.
func (n *ComparedNew) Each(all bool, row func(*ComparedCost)) (others int) {
	for i := range n.Costs {
		if c := &n.Costs[i]; all || c.Shown || c.Whole() {
			row(c)
		} else {
			others++
		}
	}
	return others
}

// WriteComparedMarkdown writes a heading and a table for each new side.
func WriteComparedMarkdown(w io.Writer, c *Compared, all bool) error {
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;", "~", `\~`, "*", `\*`, "_", `\_`).Replace
	for i := range c.New {
		n := &c.New[i]
		fmt.Fprintf(&b, "### %s → %s\n\n", cell(c.Old.Name), cell(n.Name))
		for _, s := range n.Heading {
			fmt.Fprintf(&b, "**%s**\n\n", cell(s))
		}
		for _, s := range append(append([]string{}, c.Warnings...), n.Warnings...) {
			fmt.Fprintf(&b, "- warning: %s\n", cell(s))
		}
		if len(n.Costs) > 0 {
			fmt.Fprintf(&b, "\n| cost | old | new | change | %.0f %% interval | p | smallest shown | runs for 5 %% |\n"+
				"|---|--:|--:|--:|--:|--:|--:|--:|\n", 100*c.Method.Confidence)
		}
		others := n.Each(all, func(r *ComparedCost) {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", cell(r.Name()), cell(r.Value(r.Old.Median)),
				cell(r.Value(r.New.Median)), cell(r.ChangeWords()), cell(r.IntervalWords()), cell(r.PWords()),
				cell(r.SmallestWords()), cell(r.RunsWords()))
		})
		if others > 0 {
			fmt.Fprintf(&b, "\n%s of populations, with no change shown.\n", unit.Plural(others, "more row"))
		}
		fmt.Fprintf(&b, "\n%s of OLD, %d of NEW", unit.Plural(c.Old.Runs, "run"), n.Runs)
		if len(n.Costs) > 0 {
			b.WriteString("; " + cell(strings.Join(c.MethodWords(), "; ")))
		}
		b.WriteString(".\n\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

// WriteComparedBenchmarks writes all sides in the Go benchmark format, a line for each run and cost:
// benchstat -col side compares them again. Nanoseconds are in the unit p50-ns or p99-ns.
func WriteComparedBenchmarks(w io.Writer, c *Compared) error {
	out := benchfmt.NewWriter(w)
	word := strings.NewReplacer(" ", "_", "\t", "_", "\n", "_", "/", "_").Replace
	written := map[string]bool{} // lines of the old side, which every new side has
	write := func(side string, r *ComparedCost, runs *ComparedRuns) error {
		name := word(r.ID)
		if r.Phase != nil {
			name = r.ID + "/phase=" + word(*r.Phase)
		}
		for _, part := range []struct{ key, value string }{{"bound", deref(r.Bound)}, {"locked", string(r.Locked)},
			{"cause", deref(r.Cause)}, {"state", deref(r.State)}} {
			if part.value != "" {
				name += "/" + part.key + "=" + word(part.value)
			}
		}
		u := r.Unit
		if r.Statistic != "value" {
			u = r.Statistic + "-" + r.Unit
		}
		if side == "old" {
			if written[name+u] {
				return nil
			}
			written[name+u] = true
		}
		for _, v := range runs.Values {
			err := out.Write(&benchfmt.Result{Name: benchfmt.Name(name), Iters: 1,
				Config: []benchfmt.Config{{Key: "side", Value: []byte(side), File: true}},
				Values: []benchfmt.Value{{Value: v, Unit: u, OrigValue: v, OrigUnit: u}}})
			if err != nil {
				return fmt.Errorf("write benchmarks: %w", err)
			}
		}
		return nil
	}
	for i := range c.New {
		for j := range c.New[i].Costs {
			r := &c.New[i].Costs[j]
			if err := write("old", r, &r.Old); err != nil {
				return err
			}
		}
	}
	for i := range c.New {
		side := "new"
		if len(c.New) > 1 {
			side = fmt.Sprintf("new%d", i+1)
		}
		for j := range c.New[i].Costs {
			r := &c.New[i].Costs[j]
			if err := write(side, r, &r.New); err != nil {
				return err
			}
		}
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
