package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// comparedTable is 96 wide, and 80 without the columns that a narrow page leaves out.
var comparedTable = table{
	{title: "cost", width: 26, left: true, grow: true},
	{title: "old", width: 8},
	{title: "new", width: 8},
	{title: "change", width: 7},
	{title: "95 % interval", width: 16},
	{title: "p", width: 6, spare: 2},
	{title: "smallest", width: 8, spare: 3},
	{title: "5 % needs", width: 9, spare: 1},
}

// WriteCompared writes what changed between the runs of two sides, in words and as a table. Verbose
// adds the populations without a change.
func WriteCompared(w io.Writer, c *report.Compared, o Options) error {
	p := newPage(o)
	for i := range c.New {
		if i > 0 {
			p.line()
		}
		p.changes(c, &c.New[i], o.Verbose)
	}
	if c.Compared > 0 {
		p.field("method", dim, c.MethodWords()...)
	}
	return p.write(w)
}

func (p *page) changedSide(label string, s *report.ComparedSide) {
	p.field(label, plain, s.Name, unit.Plural(s.Runs, "run"))
}

func (p *page) changeWarnings(warnings ...[]string) {
	for _, list := range warnings {
		for _, s := range list {
			p.field("warning", notice, s)
		}
	}
}

func (p *page) changes(c *report.Compared, n *report.ComparedNew, all bool) {
	p.changedSide("old", &c.Old)
	p.changedSide("new", &n.ComparedSide)
	p.line()
	for _, s := range n.Heading {
		p.wrap("", plain, "  ", bold, []string{s})
	}
	p.line()
	p.changeWarnings(c.Warnings, n.Warnings)
	if len(n.Costs) == 0 {
		return
	}
	t := p.fit(comparedTable, p.width)
	p.line(p.header(t)...)
	others := n.Each(all, func(r *report.ComparedCost) {
		st := plain
		if r.Shown && r.Change > 0 {
			st = bad
		} else if r.Shown {
			st = good
		}
		p.line(p.cells(t, func(title string) styled {
			switch title {
			case "old":
				return styled{r.Value(r.Old.Median), plain}
			case "new":
				return styled{r.Value(r.New.Median), plain}
			case "change":
				return styled{r.ChangeWords(), st}
			case "95 % interval":
				return styled{r.IntervalWords(), plain}
			case "p":
				return styled{r.PWords(), plain}
			case "smallest":
				return styled{r.SmallestWords(), plain}
			case "5 % needs":
				return styled{r.RunsWords(), plain}
			}
			return styled{ending(r.Name(), t.of("cost").width), plain}
		})...)
	})
	var notes []string
	if others > 0 {
		notes = append(notes, unit.Plural(others, "population")+" without a change shown: -v")
	}
	if n.TooFew > 0 {
		notes = append(notes, fmt.Sprintf("%s not compared: too few runs with samples, or a value of 0",
			unit.Plural(n.TooFew, "cost")))
	}
	notes = append(notes, "smallest: the least change that these runs show", "5 % needs: runs of each side")
	p.field("note", dim, strings.Join(notes, "; "))
}
