package text

import (
	"fmt"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// programTable is 98 wide, and 80 without its last two columns.
var programTable = table{
	{title: "program", width: 14, left: true, grow: true},
	{title: "processes", width: 9},
	{title: "threads created", width: 15, spare: 1},
	{title: "cost in CPU", width: 11, spare: 2, time: true},
	{title: "preempted", width: 9, spare: 4},
	{title: "woken", width: 8, spare: 5},
	{title: "CPU time", width: 8, spare: 3, time: true},
	{title: "waited", width: 8, spare: 7, time: true},
	{title: "findings", width: 8, spare: 6},
}

// programs lists so many executables under a row over all, those whose threads cost most first.
func (p *page) programs(s *report.Summary, rows int) {
	if len(s.Executables) == 0 {
		return
	}
	t := p.fit(programTable, p.width)
	p.line()
	p.line(p.header(t)...)
	all := report.Executable{Name: "all", Processes: s.Processes.Observed, Lossy: s.Incomplete.Lossy, Sums: s.Sums}
	for i := range s.Findings {
		all.Findings = append(all.Findings, s.Findings[i].ID)
	}
	if len(s.Executables) > 1 {
		p.line(p.cells(t, func(title string) styled { return p.programCell(&all, title, bold) })...)
	}
	for i := range s.Executables[:min(rows, len(s.Executables))] {
		p.line(p.cells(t, func(title string) styled { return p.programCell(&s.Executables[i], title, plain) })...)
	}
	if n := len(s.Executables) - rows; n > 0 {
		p.note(dim, unit.Plural(n, "more program")+": -v")
	}
}

func (p *page) programCell(e *report.Executable, title string, st style) styled {
	sums := &e.Sums
	switch title {
	case "program":
		return styled{e.Name, st}
	case "processes":
		return styled{unit.SixRunes(e.Processes), st}
	case "findings":
		if len(e.Findings) == 0 {
			return styled{none, dim}
		}
		return styled{fmt.Sprint(len(e.Findings)), st}
	}
	return styled{p.sumCell(sums, title, e.Lossy > 0), st}
}

// sumCell is a sum by the title of its column, marked where it is a lower bound: records were lost, or
// some processes do not have it.
func (p *page) sumCell(s *report.Sums, title string, lossy bool) string {
	number := func(n uint64) string { return mark(lossy && p.unit == "") + unit.SixRunes(n) }
	time := func(ns uint64) string { return mark(lossy && p.unit == "") + p.time(float64(ns)) }
	partly := func(n *uint64, key string, write func(uint64) string) string {
		if n == nil {
			return none
		}
		lossy = lossy || s.Unknown[key] > 0
		return write(*n)
	}
	switch title {
	case "threads created":
		return number(s.ThreadsCreated)
	case "cost in CPU":
		return partly(s.ThreadCostNS, "thread_cost_ns", time)
	case "preempted":
		return partly(s.SigurgSent, "sigurg_sent", number)
	case "woken":
		return partly(s.Handoffs, "handoffs", number)
	case "CPU time":
		return time(s.RunNS)
	}
	return time(s.RunqNS) // waited
}

// processTable is 100 wide.
var processTable = table{
	{title: "pid", width: 8},
	{title: "program", width: 15, left: true, grow: true},
	{title: "seen for", width: 8, time: true},
	{title: "most threads", width: 12, spare: 4},
	{title: "threads created", width: 15, spare: 3},
	{title: "cost in CPU", width: 11, spare: 2, time: true},
	{title: "CPU time", width: 8, spare: 1, time: true},
	{title: "findings", width: 8, spare: 5},
}

// largest lists the processes that the summary has a row of.
func (p *page) largest(s *report.Summary) {
	if len(s.Largest) == 0 {
		return
	}
	t := p.fit(processTable, p.width)
	p.line()
	p.line(p.header(t)...)
	for i := range s.Largest {
		r := &s.Largest[i]
		p.line(p.cells(t, func(title string) styled { return styled{p.processCell(r, title), plain} })...)
	}
	if s.Omitted > 0 {
		p.note(dim, unit.Processes(s.Omitted)+" more: --out DIR/ has a report of each")
	}
}

func (p *page) processCell(r *report.ProcessRow, title string) string {
	switch title {
	case "pid":
		return fmt.Sprint(r.PID)
	case "program":
		return or(r.Exe, "?") + inContainer(r.Container)
	case "seen for":
		return p.time(1e9 * r.DurationS)
	case "most threads":
		return unit.SixRunes(r.ThreadsMax)
	case "findings":
		if len(r.Findings) == 0 {
			return none
		}
		return fmt.Sprint(len(r.Findings))
	}
	return p.sumCell(&r.Sums, title, r.Lossy)
}

// programCosts writes the costs of each executable that has samples.
func (p *page) programCosts(s *report.Summary) {
	if len(s.Executables) < 2 {
		return // they are those of all
	}
	for i := range s.Executables {
		e := &s.Executables[i]
		r := s.Report()
		r.Costs, r.Verdicts = e.Costs, nil
		q := p.blank()
		if q.questions(r); q.b.Len() > 0 {
			p.line()
			p.line(styled{e.Name, bold})
			p.b.WriteString(q.b.String())
		}
	}
}
