package text

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// costTitle names the costs of one statement in words.
type costTitle struct{ id, title string }

// costTitles are in the order of the table.
var costTitles = []costTitle{
	{"P-8", "M creation"},
	{"P-9", "M destruction"},
	{"P-5", "SIGURG preemption"},
	{"P-6", "resuming a locked goroutine"},
	{"X-handoff", "hand-off to a locked M"},
}

// phases explain in at most 18 runes what each phase measures.
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
	"resume":        "return → running",
	"not_injected":  "without preemption",
	"wake":          "waking → running",
	"cpu lower":     "in the waker alone",
	"kernel lower":  "send alone",
	"kernel upper":  "send and delivery",
	"on_cpu":        "target on a CPU",
	"runnable":      "target runnable",
	"blocked":       "target blocked",
	"unknown":       "target unknown",
	"locked":        "on a locked M",
	"unlocked":      "on other Ms",
	"lock ?":        "lock not known",
}

// costTable is 98 wide, 100 with the star in front.
var costTable = table{
	{title: "phase", width: 13, left: true},
	{title: "", width: 18, left: true, spare: 1},
	{title: "n", width: 6},
	{title: "p50", width: 7, time: true},
	{title: "p90", width: 7, spare: 2, time: true},
	{title: "p99", width: 7, time: true},
	{title: "max", width: 7, time: true},
	{title: "shape", width: 10, left: true, spare: 3},
	{title: "specified", width: 15, left: true, time: true},
}

// costs writes the table of costs, a group for each statement of the specification. Groups without
// a sample are one line each. A table without any sample has no header and no explanation.
func (p *page) costs(r *report.Report) {
	t := p.fit(costTable, p.width-1)
	sampled := slices.ContainsFunc(r.Costs, func(c report.Cost) bool { return c.N > 0 })
	p.line()
	if sampled {
		p.line(append([]styled{{" ", plain}}, p.header(t)...)...)
	}
	apart := sampled
	for _, g := range groups(r) {
		if g.sampled() || apart {
			p.line()
		}
		p.costGroup(t, g, r)
		apart = g.sampled()
	}
	if sampled {
		p.line()
		p.note(dim, "★: the median is compared with the specification", "shape: samples from min to max, logarithmic")
	}
}

// group holds the rows of one statement.
type group struct {
	title   string
	rows    []costRow
	verdict *report.Verdict // nil where the specification states no range
}

func (g group) sampled() bool {
	return slices.ContainsFunc(g.rows, func(c costRow) bool { return c.N > 0 })
}

// groups returns the statements in the order of costTitles, then costs of no known statement in the
// report's order.
func groups(r *report.Report) (gs []group) {
	order := slices.Clone(costTitles)
	for _, c := range r.Costs {
		if !slices.ContainsFunc(order, func(s costTitle) bool { return s.id == c.ID }) {
			order = append(order, costTitle{id: c.ID})
		}
	}
	for _, s := range order {
		g := group{title: strings.TrimSpace(s.id + "  " + s.title), rows: shown(r.Costs, s.id)}
		if i := slices.IndexFunc(r.Verdicts, func(v report.Verdict) bool { return v.Statement == s.id }); i >= 0 {
			g.verdict = &r.Verdicts[i]
		}
		if g.verdict != nil || len(g.rows) > 0 {
			gs = append(gs, g)
		}
	}
	return gs
}

// costGroup writes one statement's rows, or one line when no sample was completed in the window.
func (p *page) costGroup(t table, g group, r *report.Report) {
	if !g.sampled() {
		parts := []string{"none in this window"}
		if v := g.verdict; v != nil {
			parts = append(parts, "specified "+unit.DurationRange(v.RangeNS[0], v.RangeNS[1]))
		}
		if u := unfinished(g.rows); u != "" {
			parts = append(parts, u)
		}
		p.line(styled{pad(g.title, 35), bold}, styled{strings.Join(parts, " · "), dim})
		return
	}
	p.line(styled{g.title, bold})
	for _, c := range g.rows {
		p.cost(t, c, r)
	}
	if notes := g.notes(); len(notes) > 0 {
		p.note(dim, notes...)
	}
}

// cost writes one row.
func (p *page) cost(t table, c costRow, r *report.Report) {
	star := styled{" ", plain}
	if c.starred() {
		star = styled{"★", bold}
	}
	if c.N == 0 {
		name := p.cells(table{t[0]}, func(string) styled { return styled{c.name(), plain} })
		p.line(star, name[0], styled{" none in this window", dim})
		return
	}
	if c.part && c.Cause != nil { // the name of a cause is long, and has no words
		t = t.join()
	}
	cells := p.cells(t, func(title string) styled { return p.costCell(c, title, r) })
	p.line(append([]styled{star}, cells...)...)
}

func (p *page) costCell(c costRow, title string, r *report.Report) styled {
	switch title {
	case "phase":
		return styled{c.name(), plain}
	case "":
		return styled{c.words(), dim}
	case "n":
		return styled{p.samples(c), plain}
	case "p50":
		return styled{p.ns(c.P50), bold}
	case "p90":
		return styled{p.ns(c.P90), plain}
	case "p99":
		return styled{p.ns(c.P99), plain}
	case "max":
		return styled{p.ns(c.Max), plain}
	case "shape":
		return styled{sparkline(c.Hist), plain}
	}
	// the specification states ranges for locked and other threads, not for causes or states
	if c.part && c.Locked == "" {
		return styled{}
	}
	return p.verdictCell(c.Cost, r)
}

// verdictCell is "in 10–50 µs"; a question mark where it is in doubt.
func (p *page) verdictCell(c *report.Cost, r *report.Report) styled {
	if c.Verdict == nil || c.RangeNS == nil {
		return styled{}
	}
	word, st := verdictWord(*c.Verdict)
	holds := c.Holds != nil && *c.Holds || c.Bound != nil && !r.Lossy() // a bound alone proves one side only
	if *c.Verdict != "too_few" && inDoubt(r, *c.Verdict, holds) {
		word, st = word+"?", notice
	}
	return styled{pad(word, 6) + " " + p.span(c.RangeNS[0], c.RangeNS[1]), st}
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

// notes are facts that have no column: the verdict of joined bounds, the share of samples in range,
// the parts of the interval.
func (g group) notes() (notes []string) {
	var lower, upper *report.Cost
	for _, c := range g.rows {
		if !c.starred() || c.N == 0 {
			continue
		}
		if bracketed(c.Cost) {
			if *c.Bound == "lower" {
				lower = c.Cost
			} else {
				upper = c.Cost
			}
			continue
		}
		if c.InRange != nil && c.N >= contract.MinSamples {
			notes = append(notes, fmt.Sprintf("★ %s of samples in range", unit.Percent(*c.InRange)))
		}
		if c.OffCPU != nil {
			notes = append(notes, "mean "+unit.Duration(*c.OffCPU)+" not running")
		}
		if c.Bias != nil {
			notes = append(notes, "mean "+unit.Duration(*c.Bias)+" is pinwatch's overhead")
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

// boundsNote explains the verdict of two bounds.
func boundsNote(v *report.Verdict, lower, upper *report.Cost) string {
	between := "★ the median is between " + duration(lower.P50) + " and " + duration(upper.P50)
	switch v.Verdict {
	case "open":
		return between + ": the bounds leave open whether that is in range"
	case "too_few":
		return between + ", from too few samples to judge"
	}
	return between + ": " + v.Verdict + " by both bounds"
}

// unfinished counts the intervals that the window's end cut off.
func unfinished(rows []costRow) string {
	var parts []string
	for _, c := range rows {
		if c.Unfinished > 0 && !c.part {
			parts = append(parts, c.Phase+" "+unit.Count(c.Unfinished))
		}
	}
	if parts == nil {
		return ""
	}
	return "unfinished: " + strings.Join(parts, ", ")
}
