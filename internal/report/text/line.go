package text

import (
	"fmt"
	"io"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// lineTable is 100 runes wide.
var lineTable = table{
	{title: "time", width: 8},
	{title: "threads", width: 7},
	{title: "new", width: 6},
	{title: "gone", width: 6},
	{title: "locked", width: 6},
	{title: "clone", width: 7, spare: 4, time: true},
	{title: "exit", width: 7, spare: 3, time: true},
	{title: "SIGURG kernel", width: 13, spare: 6, time: true},
	{title: "SIGURG/s", width: 8, spare: 5},
	{title: "switch/s", width: 8, spare: 1},
	{title: "migr/s", width: 6, spare: 2},
	{title: "lost", width: 6},
}

// WriteLineHeader writes the titles of WriteLine's columns. clone, exit and SIGURG kernel are the
// medians that are compared with the specification, the last as lower–upper bound. locked counts
// the threads that are locked at the interval's end.
func WriteLineHeader(w io.Writer, o Options) error {
	p := newPage(o)
	p.line(p.header(p.fit(lineTable, p.width))...)
	return p.write(w)
}

// WriteLine writes the report of one interval on one line. lost counts all
// records and program runs that were missed.
func WriteLine(w io.Writer, r *report.Report, o Options) error {
	p := newPage(o)
	c, s := r.Counts, r.Window.ActiveS
	cell := map[string]string{
		"time":          lineTime(r.Window),
		"threads":       unit.Count(c.Threads),
		"new":           "+" + unit.SixRunes(c.ThreadsCreated),
		"gone":          "−" + unit.SixRunes(c.ThreadsExited+c.ThreadsKilled),
		"locked":        none,
		"clone":         p.median(r, "P-8", "clone_syscall"),
		"exit":          p.median(r, "P-9", "exit"),
		"SIGURG kernel": p.kernelBounds(r),
		"SIGURG/s":      rate(c.SigurgGenerated, s),
		"switch/s":      rate(c.Switches, s),
		"migr/s":        rate(c.Migrations, s),
		"lost":          unit.SixRunes(r.Loss.Missed()),
	}
	if c.LockedThreads != nil {
		cell["locked"] = unit.SixRunes(*c.LockedThreads)
	}
	p.line(p.cells(p.fit(lineTable, p.width), func(title string) styled { return styled{text: cell[title]} })...)
	return p.write(w)
}

// lineTime is the wall clock at the window's end, or seconds since boot where the wall clock is not
// known.
func lineTime(w report.Window) string {
	if w.WallEnd != nil {
		if t, err := time.Parse(time.RFC3339Nano, *w.WallEnd); err == nil {
			return t.Format(time.TimeOnly)
		}
	}
	return fmt.Sprintf("%.1f", float64(w.EndNS)/1e9)
}

// median is the p50 of a phase. It may be a lower bound; the column lost is not 0 then.
func (p *page) median(r *report.Report, id, phase string) string {
	if c := find(r, id, phase, ""); c != nil {
		return p.ns(c.P50)
	}
	if c := find(r, id, phase, "lower"); c != nil {
		return p.ns(c.P50)
	}
	return none
}

// kernelBounds writes the two medians that P-5 lies between.
func (p *page) kernelBounds(r *report.Report) string {
	lower, upper := find(r, "P-5", "kernel", "lower"), find(r, "P-5", "kernel", "upper")
	if lower == nil || upper == nil || lower.P50 == nil || upper.P50 == nil {
		return none
	}
	return p.between(*lower.P50, *upper.P50)
}

// find returns the first row of a phase with this bound. That row covers all samples that have the
// bound.
func find(r *report.Report, id, phase, bound string) *report.Cost {
	for i := range r.Costs {
		if c := &r.Costs[i]; c.ID == id && c.Phase == phase && or(c.Bound, "") == bound && c.Locked == "" &&
			c.Cause == nil {
			return c
		}
	}
	return nil
}

func rate(n uint64, seconds float64) string {
	if seconds <= 0 {
		return none
	}
	return unit.Scaled(float64(n) / seconds)
}
