package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// statement is a group of costs and its name in words.
type statement struct{ id, title string }

// statements are the groups of the cost table, in order.
var statements = []statement{
	{"P-8", "M creation"},
	{"P-9", "M destruction"},
	{"P-5", "SIGURG preemption"},
	{"X-handoff", "hand-off to a locked M"},
}

// phases say in at most 18 runes what each phase times.
var phases = map[string]string{
	"clone_syscall": "clone in creator",
	"spawn":         "clone → first run",
	"runq_wait":     "wait for a CPU",
	"start":         "first run → ready",
	"total":         "clone → ready",
	"runtime":       "mexit → exit call",
	"exit":          "exit → off the CPU",
	"free":          "→ freed, RCU wait",
	"send":          "tgkill call",
	"deliver":       "raised → delivered",
	"handler":       "delivered → return",
	"resume":        "return → locked G",
	"not_injected":  "nothing injected",
	"handoff":       "waking → first run",
	"kernel lower":  "send alone",
	"kernel upper":  "send and delivery",
	"on_cpu":        "target on a CPU",
	"runnable":      "target runnable",
	"blocked":       "target blocked",
	"unknown":       "target unknown",
}

// costTable is 98 wide, 100 with the star in front.
var costTable = table{
	{title: "phase", width: 13, left: true},
	{title: "", width: 18, left: true, spare: 1},
	{title: "n", width: 6},
	{title: "p50", width: 7},
	{title: "p90", width: 7, spare: 2},
	{title: "p99", width: 7},
	{title: "max", width: 7},
	{title: "shape", width: histBars, left: true, spare: 3},
	{title: "specified", width: 15, left: true},
}

// costs is the table of costs, a group per statement of the specification. Groups stand apart, but what did not happen is listed
// line by line, and without any sample there is nothing to head or explain.
func (p *page) costs(r *Report) {
	t := costTable.fit(p.width - 1)
	sampled := slices.ContainsFunc(r.Costs, func(c Cost) bool { return c.N > 0 })
	p.line()
	if sampled {
		p.line(append([]span{{" ", plain}}, t.header()...)...)
	}
	apart := sampled
	for _, g := range groups(r) {
		if g.sampled() || apart {
			p.line()
		}
		p.costGroup(t, g, r.lossy())
		apart = g.sampled()
	}
	if sampled {
		p.line()
		p.note(dim, "★ is held against the specification, by its median", "shape: samples from min to max, logarithmic")
	}
}

// group is what the table shows of one statement.
type group struct {
	title   string
	rows    []*Cost
	verdict *Verdict // nil where the specification states no range
}

func (g group) sampled() bool {
	return slices.ContainsFunc(g.rows, func(c *Cost) bool { return c.N > 0 })
}

// groups are the statements in the order of statements, then costs that are not prepared for, in their own order.
func groups(r *Report) (gs []group) {
	order := slices.Clone(statements)
	for _, c := range r.Costs {
		if !slices.ContainsFunc(order, func(s statement) bool { return s.id == c.ID }) {
			order = append(order, statement{id: c.ID})
		}
	}
	for _, s := range order {
		g := group{title: strings.TrimSpace(s.id + "  " + s.title), rows: shown(r.Costs, s.id)}
		if i := slices.IndexFunc(r.Verdicts, func(v Verdict) bool { return v.Statement == s.id }); i >= 0 {
			g.verdict = &r.Verdicts[i]
		}
		if g.verdict != nil || len(g.rows) > 0 {
			gs = append(gs, g)
		}
	}
	return gs
}

// costGroup writes one statement's rows, or one line when nothing of it was completed in the window.
func (p *page) costGroup(t table, g group, lossy bool) {
	if !g.sampled() {
		parts := []string{"none in this window"}
		if v := g.verdict; v != nil {
			parts = append(parts, "specified "+durationRange(v.RangeNS[0], v.RangeNS[1]))
		}
		if u := unfinished(g.rows); u != "" {
			parts = append(parts, u)
		}
		p.line(span{pad(g.title, 35), bold}, span{strings.Join(parts, " · "), dim})
		return
	}
	p.line(span{g.title, bold})
	for _, c := range g.rows {
		p.cost(t, c, lossy)
	}
	if notes := g.notes(); len(notes) > 0 {
		p.note(dim, notes...)
	}
}

// shown picks the rows of a statement that the text has room for: those over all samples, and their parts by the target's state
// that have samples. A bound has but one state, which its words name.
func shown(costs []Cost, id string) (rows []*Cost) {
	whole := map[string]int64{}
	for i := range costs {
		c := &costs[i]
		if c.ID != id || c.Locked != "" || c.Cause != nil {
			continue
		}
		key := c.Phase + " " + or(c.Bound, "")
		if c.State == nil {
			whole[key] = c.N
		} else if n, ok := whole[key]; ok && (c.N == 0 || c.N == n && bracketed(c)) {
			continue
		}
		rows = append(rows, c)
	}
	return rows
}

// cost writes one row.
func (p *page) cost(t table, c *Cost, lossy bool) {
	star := span{" ", plain}
	if c.Star {
		star = span{"★", bold}
	}
	if c.N == 0 {
		name := table{t[0]}.cells(func(string) span { return span{phaseName(c), plain} })
		p.line(star, name[0], span{" none in this window", dim})
		return
	}
	cells := t.cells(func(title string) span { return costCell(c, title, lossy) })
	p.line(append([]span{star}, cells...)...)
}

func costCell(c *Cost, title string, lossy bool) span {
	switch title {
	case "phase":
		return span{phaseName(c), plain}
	case "":
		return span{phaseWords(c), dim}
	case "n":
		return span{samples(c), plain}
	case "p50":
		return span{ns(c.P50), bold}
	case "p90":
		return span{ns(c.P90), plain}
	case "p99":
		return span{ns(c.P99), plain}
	case "max":
		return span{ns(c.Max), plain}
	case "shape":
		return span{sparkline(c.Hist), plain}
	}
	return verdictCell(c, lossy)
}

func ns(v *int64) string {
	if v == nil {
		return none
	}
	return duration(float64(*v))
}

// bracketed says whether the phase is measured by a lower and an upper bound. Elsewhere a bound only tells of lost samples.
func bracketed(c *Cost) bool {
	return c.Bound != nil && phases[c.Phase+" "+*c.Bound] != ""
}

// phaseName marks bounds, where what is measured is not the cost itself, and names a part of the row above by its state.
func phaseName(c *Cost) string {
	switch {
	case bracketed(c) && *c.Bound == "lower":
		return c.Phase + " ≥"
	case bracketed(c):
		return c.Phase + " ≤"
	case c.State != nil:
		return "· " + *c.State
	}
	return c.Phase
}

func phaseWords(c *Cost) string {
	switch {
	case bracketed(c):
		return phases[c.Phase+" "+*c.Bound]
	case c.State != nil:
		return phases[*c.State]
	}
	return phases[c.Phase]
}

// samples is n, marked where lost records make it a bound.
func samples(c *Cost) string {
	n := uint64(c.N)
	switch {
	case c.Bound == nil || bracketed(c):
		return short(n)
	case n < 10_000:
		return "≥" + count(n)
	}
	return "≥" + scaled(float64(n))
}

// verdictCell is "in 10–50 µs"; a question mark where the run was lossy.
func verdictCell(c *Cost, lossy bool) span {
	if c.Verdict == nil || c.RangeNS == nil {
		return span{}
	}
	word, st := verdictWord(*c.Verdict)
	if lossy && *c.Verdict != "too_few" {
		word, st = word+"?", notice
	}
	return span{pad(word, 6) + " " + durationRange(c.RangeNS[0], c.RangeNS[1]), st}
}

func verdictWord(v string) (string, style) {
	switch v {
	case "in":
		return "in", good
	case "above":
		return "above", bad
	case "too_few":
		return "n<6", notice
	}
	return v, notice
}

// notes are what the rows can't say: the verdict of joined bounds, how many samples agree, what else is in the interval.
func (g group) notes() (notes []string) {
	var lower, upper *Cost
	for _, c := range g.rows {
		if !c.Star || c.N == 0 {
			continue
		}
		if bracketed(c) {
			if *c.Bound == "lower" {
				lower = c
			} else {
				upper = c
			}
			continue
		}
		if c.InRange != nil && c.N >= contract.MinSamples {
			notes = append(notes, fmt.Sprintf("★ %s of samples in range", percent(*c.InRange)))
		}
		if c.OffCPU != nil {
			notes = append(notes, "mean "+duration(*c.OffCPU)+" not running")
		}
		if c.Bias != nil {
			notes = append(notes, "mean "+duration(*c.Bias)+" is pinwatch itself")
		}
	}
	if lower != nil && upper != nil && g.verdict != nil {
		notes = append(notes, boundsNote(g.verdict, lower, upper))
	}
	if u := unfinished(g.rows); u != "" {
		notes = append(notes, u)
	}
	return notes
}

// boundsNote words what two bounds say together.
func boundsNote(v *Verdict, lower, upper *Cost) string {
	between := "★ the median is between " + ns(lower.P50) + " and " + ns(upper.P50)
	switch v.Verdict {
	case "open":
		return between + ": the bounds leave open whether that is in range"
	case "too_few":
		return between + ", from too few samples to judge"
	}
	return between + ": " + v.Verdict + " by both bounds"
}

// unfinished words the intervals the window's end cut off.
func unfinished(rows []*Cost) string {
	var parts []string
	for _, c := range rows {
		if c.Unfinished > 0 && c.State == nil {
			parts = append(parts, c.Phase+" "+count(c.Unfinished))
		}
	}
	if parts == nil {
		return ""
	}
	return "unfinished: " + strings.Join(parts, ", ")
}
