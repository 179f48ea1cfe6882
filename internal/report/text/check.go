package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
)

// checkTable is 100 wide, and 80 without its last column.
var checkTable = table{
	{title: "", width: 9, left: true},
	{title: "number", width: 31, left: true, grow: true},
	{title: "value", width: 16},
	{title: "budget", width: 17},
	{title: "beyond by", width: 21, left: true, spare: 1},
}

// budgetStyles are the styles of what came of a budget.
var budgetStyles = map[string]style{report.BudgetHeld: good, report.BudgetBroken: bad, report.BudgetUndecided: notice}

// WriteCheck writes what came of budgets: a row for each, broken ones first, and why one can't be told.
func WriteCheck(w io.Writer, c *report.Check, o Options) error {
	p := newPage(o)
	p.field("check", plain, c.Subject+" against "+c.Budget, c.Heading())
	t := p.fit(checkTable, p.width)
	p.line()
	p.line(p.header(t)...)
	for i := range c.Checks {
		l := &c.Checks[i]
		name, below := l.Name(), []string{}
		if width := t.of("number").width; len([]rune(name)) > width { // it stands alone
			p.line(styled{" " + pad(l.Verdict, t[0].width), budgetStyles[l.Verdict]}, styled{" " + name, plain})
			name = ""
		}
		p.line(p.cells(t, func(title string) styled {
			switch title {
			case "":
				if name == "" {
					return styled{}
				}
				return styled{l.Verdict, budgetStyles[l.Verdict]}
			case "number":
				return styled{name, plain}
			case "value":
				return styled{l.Value(), plain}
			case "budget":
				return styled{l.Budget, plain}
			}
			return styled{l.By(), bad}
		})...)
		if l.Verdict != report.BudgetHeld {
			below = append(below, fmt.Sprintf("%s:%d", c.Budget, l.Line))
		}
		if len(t) < len(checkTable) && l.By() != "" {
			below = append(below, "beyond by "+l.By())
		}
		if l.Why != nil {
			below = append(below, *l.Why)
		}
		if len(below) > 0 {
			indent := strings.Repeat(" ", checkTable[0].width+2)
			p.wrap(indent, plain, indent, dim, below)
		}
	}
	return p.write(w)
}
