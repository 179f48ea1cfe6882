package text

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// questions are the costs of the first screen, in its order. A cost between two bounds shows both.
var questions = []struct{ id, phase, words string }{
	{"P-8", "clone_syscall", "create a thread"},
	{"P-9", "exit", "end a thread"},
	{"P-5", "kernel", "preempt a goroutine"},
	{"P-6", "resume", "resume a pinned goroutine"},
	{"X-handoff", "wake", "wake a pinned goroutine"},
}

// machineTable is 99 wide.
var machineTable = table{
	{title: "this machine's time to", width: 25, left: true},
	{title: "n", width: 7},
	{title: "p50", width: boundsWidth, time: true},
	{title: "p99", width: boundsWidth, time: true},
	{title: "max", width: boundsWidth, time: true, spare: 3},
	{title: "shape", width: 10, left: true, spare: 4},
	{title: "expected", width: 11, left: true, time: true, spare: 1},
	{title: "", width: 8, left: true, spare: 2},
}

// machine writes what threads cost here, without colour: it is a fact about the machine.
func (p *page) machine(r *report.Report) {
	p.line()
	p.field("machine", plain, r.Host.Words()...)
	none, off := p.questions(r)
	if none != nil {
		p.field(" no sample", dim, strings.Join(none, ", "))
	}
	if off != nil {
		p.field(" unwatched", dim, "--light: "+strings.Join(off, ", "))
	}
}

// questions writes the costs that have samples. It returns the others: that did not happen, and that
// were not watched.
func (p *page) questions(r *report.Report) (none, off []string) {
	t := p.fit(machineTable, p.width)
	begun := false
	for _, q := range questions {
		lo, hi := find(r, q.id, q.phase, "lower"), find(r, q.id, q.phase, "upper")
		c := cmp.Or(find(r, q.id, q.phase, ""), hi, lo)
		if c == nil && light(r) && q.id != "X-handoff" {
			off = append(off, q.words)
			continue
		}
		if c == nil || c.N == 0 {
			none = append(none, q.words)
			continue
		}
		if !begun {
			p.line(p.header(t)...)
			begun = true
		}
		if lo == nil || hi == nil || lo.N == 0 {
			lo = c
		}
		p.line(p.cells(t, func(title string) styled {
			switch title {
			case "n":
				return styled{p.samples(costRow{Cost: c}), plain}
			case "p50":
				return styled{p.bounds(lo.P50, c.P50), plain}
			case "p99":
				return styled{p.bounds(lo.P99, c.P99), plain}
			case "max":
				return styled{p.bounds(lo.Max, c.Max), plain}
			case "shape":
				return styled{sparkline(c.Hist), plain}
			case "expected":
				if c.RangeNS == nil {
					return styled{}
				}
				return styled{p.span(c.RangeNS[0], c.RangeNS[1]), plain}
			case "":
				return styled{p.compared(r, q.id), plain}
			}
			return styled{q.words, plain}
		})...)
	}
	return none, off
}

// boundsWidth is the width of the columns of times.
const boundsWidth = 10

// bounds writes a time that lies between two, which may be unknown: both where they fit, as with one
// unit, else the upper one.
func (p *page) bounds(lo, hi *int64) string {
	if lo == nil || hi == nil {
		return p.ns(hi)
	}
	if *lo == *hi || p.unit != "" {
		return p.ns(lo)
	}
	most := max(*lo, *hi)
	if s := p.between(twoDigits(min(*lo, *hi)), twoDigits(most)); columns(s) <= boundsWidth {
		return s
	}
	return "≤ " + p.ns(&most)
}

func twoDigits(ns int64) int64 { return int64(unit.Round(float64(ns), 2)) }

// comparisons are the words for a verdict on a cost.
var comparisons = map[string]string{"in": "within", "above": "slower", "below": "faster", "open": "unclear",
	"too_few": "too few"}

// compared puts the verdict on a cost into words, with a question mark where it is in doubt.
func (p *page) compared(r *report.Report, id string) string {
	i := slices.IndexFunc(r.Verdicts, func(v report.Verdict) bool { return v.Statement == id })
	if i < 0 {
		return ""
	}
	v := r.Verdicts[i]
	word := cmp.Or(comparisons[v.Verdict], v.Verdict)
	if v.Verdict != "too_few" && inDoubt(r, v.Verdict, v.Holds) {
		word += "?"
	}
	return word
}

var pinnedTable = table{
	{title: "pinned", width: 7},
	{title: "goroutine began with", width: 24, left: true, grow: true},
	{title: "seen pinned for", width: 16, left: true, spare: 2, time: true},
	{title: "now", width: 21, left: true, spare: 1},
	{title: "woken/s", width: 7},
	{title: "CPU", width: 6},
}

// pinnedGroup are the living pinned threads of one function.
type pinnedGroup struct {
	entry    string
	threads  []*report.Thread
	woken    uint64
	run      int64
	activity map[string]uint64
}

// pinned lists so many rows of the pinned threads that live, by the function their goroutines began with, the most
// often woken first.
func (p *page) pinned(r *report.Report, rows int) {
	groups := pinnedGroups(r)
	if len(groups) == 0 {
		return
	}
	t := p.fit(pinnedTable, p.width)
	p.line()
	p.line(p.header(t)...)
	for _, g := range groups[:min(len(groups), rows)] {
		p.line(p.cells(t, func(title string) styled { return p.pinnedCell(t, g, title, &r.Window) })...)
	}
	if n := len(groups) - rows; n > 0 {
		p.note(dim, unit.Plural(n, "more function")+": -v")
	}
}

func pinnedGroups(r *report.Report) (groups []*pinnedGroup) {
	by := map[string]*pinnedGroup{}
	for _, t := range pinnedThreads(r) {
		entry := or(t.LockEntry, none)
		g := by[entry]
		if g == nil {
			g = &pinnedGroup{entry: entry, activity: map[string]uint64{}}
			by[entry] = g
			groups = append(groups, g)
		}
		g.threads = append(g.threads, t)
		g.woken += handoffs(t)
		g.run += t.RunNS
		g.activity[activity(t)]++
	}
	slices.SortStableFunc(groups, func(a, b *pinnedGroup) int {
		return cmp.Or(cmp.Compare(b.woken, a.woken), cmp.Compare(len(b.threads), len(a.threads)))
	})
	return groups
}

func (p *page) pinnedCell(t table, g *pinnedGroup, title string, w *report.Window) styled {
	switch title {
	case "pinned":
		return styled{unit.Count(len(g.threads)), bold}
	case "goroutine began with":
		return styled{ending(unit.Function(g.entry), t.of(title).width), plain}
	case "seen pinned for":
		return styled{p.heldBy(g.threads), plain}
	case "now":
		return styled{byCount(g.activity), plain}
	case "woken/s":
		return styled{rate(g.woken, w.ActiveS), plain}
	}
	if w.DurationS <= 0 {
		return styled{none, dim}
	}
	return styled{unit.Percent(float64(g.run) / 1e9 / w.DurationS), plain}
}

// heldBy is the time in which each look at the threads saw them pinned, of the longest where they
// differ. It may have been several pins of one goroutine, with no look between them.
func (p *page) heldBy(ts []*report.Thread) string {
	least, most := -1.0, -1.0
	for _, t := range ts {
		if t.LockHeldMin != nil {
			most = max(most, *t.LockHeldMin)
			if least < 0 || *t.LockHeldMin < least {
				least = *t.LockHeldMin
			}
		}
	}
	switch shortest, longest := p.time(1e9*least), p.time(1e9*most); {
	case least < 0:
		return none
	case shortest != longest && p.unit == "": // else the column has plain numbers
		return "longest " + longest
	default:
		return longest
	}
}
