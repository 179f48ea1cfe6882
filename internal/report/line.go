package report

import (
	"fmt"
	"io"
	"time"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// lineTable is 100 wide; its header is LineHeader.
var lineTable = table{
	{title: "time", width: 8},
	{title: "threads", width: 7},
	{title: "new", width: 6},
	{title: "gone", width: 6},
	{title: "locked", width: 6},
	{title: "clone", width: 7},
	{title: "exit", width: 7},
	{title: "SIGURG kernel", width: 13},
	{title: "SIGURG/s", width: 8},
	{title: "switch/s", width: 8},
	{title: "migr/s", width: 6},
	{title: "lost", width: 6},
}

// WriteLineHeader writes the titles of WriteLine's columns: clone, exit and SIGURG kernel are the medians that the specification is
// held against, the last as lower–upper bound; locked is the threads locked by the program at the interval's end.
func WriteLineHeader(w io.Writer) error {
	return writeRow(w, lineTable.header())
}

// WriteLine writes the report of one interval as one line of at most 100 columns under WriteLineHeader's titles; lost counts all
// records and program runs that were missed.
func WriteLine(w io.Writer, r *Report) error {
	c, s := r.Counts, r.Window.DurationS
	cell := map[string]string{
		"time":          lineTime(r.Window),
		"threads":       unit.Count(c.Threads),
		"new":           "+" + unit.SixRunes(c.ThreadsCreated),
		"gone":          "−" + unit.SixRunes(c.ThreadsExited+c.ThreadsKilled),
		"locked":        none,
		"clone":         r.median("P-8", "clone_syscall"),
		"exit":          r.median("P-9", "exit"),
		"SIGURG kernel": r.kernelBounds(),
		"SIGURG/s":      rate(c.SigurgGenerated, s),
		"switch/s":      rate(c.Switches, s),
		"migr/s":        rate(c.Migrations, s),
		"lost":          unit.SixRunes(r.Loss.Total + r.Loss.Late + r.Loss.RecursionMisses),
	}
	if c.LockedThreads != nil {
		cell["locked"] = unit.SixRunes(*c.LockedThreads)
	}
	return writeRow(w, lineTable.cells(func(title string) span { return span{text: cell[title]} }))
}

func writeRow(w io.Writer, spans []span) error {
	p := page{width: DefaultWidth}
	p.line(spans...)
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("write line: %w", err)
	}
	return nil
}

// lineTime is the wall clock at the window's end; seconds since boot where that is not known.
func lineTime(w Window) string {
	if w.WallEnd != nil {
		if t, err := time.Parse(time.RFC3339Nano, *w.WallEnd); err == nil {
			return t.Format(time.TimeOnly)
		}
	}
	return fmt.Sprintf("%.1f", float64(w.EndNS)/1e9)
}

// median is the p50 of a phase; lost records make it a bound, which the column of losses tells.
func (r *Report) median(id, phase string) string {
	if c := r.find(id, phase, ""); c != nil {
		return ns(c.P50)
	}
	if c := r.find(id, phase, "lower"); c != nil {
		return ns(c.P50)
	}
	return none
}

// kernelBounds are the two medians that P-5 lies between.
func (r *Report) kernelBounds() string {
	lower, upper := r.find("P-5", "kernel", "lower"), r.find("P-5", "kernel", "upper")
	if lower == nil || upper == nil || lower.P50 == nil || upper.P50 == nil {
		return none
	}
	return unit.DurationRange(*lower.P50, *upper.P50)
}

// find is the first row of a phase with this bound, which is the one over all samples or, for bounds, over those that have it.
func (r *Report) find(id, phase, bound string) *Cost {
	for i := range r.Costs {
		if c := &r.Costs[i]; c.ID == id && c.Phase == phase && or(c.Bound, "") == bound && c.Locked == "" && c.Cause == nil {
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
