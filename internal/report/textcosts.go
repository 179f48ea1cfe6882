package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// statement is a group of costs and its name in words.
type statement struct{ id, title string }

// statements are the groups of the cost table, in order.
var statements = []statement{
	{"P-8", "M creation"},
	{"P-9", "M destruction"},
	{"P-5", "SIGURG preemption"},
	{"P-6", "resuming a locked goroutine"},
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
	"resume":        "return → running",
	"not_injected":  "nothing injected",
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
	{title: "p50", width: 7},
	{title: "p90", width: 7, spare: 2},
	{title: "p99", width: 7},
	{title: "max", width: 7},
	{title: "shape", width: histBars, left: true, spare: 3},
	{title: "specified", width: 15, left: true},
}

// costs is the table of costs, a group per statement of the specification. Groups stand apart, but what did not happen is listed
// line by line, and without any sample there is nothing to head or explain.
func (p *page) costs(r *Report, verbose bool) {
	t := costTable.fit(p.width - 1)
	sampled := slices.ContainsFunc(r.Costs, func(c Cost) bool { return c.N > 0 })
	p.line()
	if sampled {
		p.line(append([]span{{" ", plain}}, t.header()...)...)
	}
	apart := sampled
	for _, g := range groups(r, verbose) {
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
	rows    []costRow
	verdict *Verdict // nil where the specification states no range
}

func (g group) sampled() bool {
	return slices.ContainsFunc(g.rows, func(c costRow) bool { return c.N > 0 })
}

// groups are the statements in the order of statements, then costs that are not prepared for, in their own order.
func groups(r *Report, verbose bool) (gs []group) {
	order := slices.Clone(statements)
	for _, c := range r.Costs {
		if !slices.ContainsFunc(order, func(s statement) bool { return s.id == c.ID }) {
			order = append(order, statement{id: c.ID})
		}
	}
	for _, s := range order {
		g := group{title: strings.TrimSpace(s.id + "  " + s.title), rows: shown(r.Costs, s.id, verbose)}
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
			parts = append(parts, "specified "+unit.DurationRange(v.RangeNS[0], v.RangeNS[1]))
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

// cost writes one row.
func (p *page) cost(t table, c costRow, lossy bool) {
	star := span{" ", plain}
	if c.starred() {
		star = span{"★", bold}
	}
	if c.N == 0 {
		name := table{t[0]}.cells(func(string) span { return span{c.name(), plain} })
		p.line(star, name[0], span{" none in this window", dim})
		return
	}
	if c.part && c.Cause != nil { // its name takes the room of the words
		t = t.join()
	}
	cells := t.cells(func(title string) span { return costCell(c, title, lossy) })
	p.line(append([]span{star}, cells...)...)
}

func costCell(c costRow, title string, lossy bool) span {
	switch title {
	case "phase":
		return span{c.name(), plain}
	case "":
		return span{c.words(), dim}
	case "n":
		return span{c.samples(), plain}
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
	if c.part && c.Locked == "" { // only which thread it hits is part of what the specification states
		return span{}
	}
	return verdictCell(c.Cost, lossy)
}

func ns(v *int64) string {
	if v == nil {
		return none
	}
	return unit.Duration(float64(*v))
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
	return span{pad(word, 6) + " " + unit.DurationRange(c.RangeNS[0], c.RangeNS[1]), st}
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
			notes = append(notes, "mean "+unit.Duration(*c.Bias)+" is pinwatch itself")
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
