package text

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// column is one column of a table.
type column struct {
	title string
	width int
	left  bool // text stands left, numbers right
	spare int  // a narrow page leaves out the columns with the highest number first; 0 = never left out
	time  bool // holds times
	grow  bool // takes the room that a wide page leaves
}

// table lays out rows of cells under fixed columns, with a gap of one in front of each.
type table []column

// fit leaves out columns until the table is no wider than width.
func (t table) fit(width int) table {
	for t.width() > width {
		worst := 0
		for i, c := range t {
			if c.spare > t[worst].spare {
				worst = i
			}
		}
		if t[worst].spare == 0 {
			return t
		}
		t = append(append(table{}, t[:worst]...), t[worst+1:]...)
	}
	return t
}

// join gives the width of the second column to the first where the second has no title, and so only
// explains the first.
func (t table) join() table {
	if len(t) < 2 || t[1].title != "" {
		return t
	}
	joined := append(table{}, t[0])
	joined[0].width += 1 + t[1].width
	return append(joined, t[2:]...)
}

func (t table) width() (n int) {
	for _, c := range t {
		n += c.width + 1
	}
	return n
}

// fit leaves out columns until a table is no wider than width, and the shape where it can't be drawn or
// would stand between the numbers that a program reads.
func (p *page) fit(t table, width int) table {
	t = slices.Clone(t)
	for i := range t {
		t[i].width = max(t[i].width, columns(p.title(t[i])))
		if t[i].time && t[i].left && p.unit != "" {
			t[i].width += 5 // a range of nanoseconds
		}
	}
	t = slices.Clone(t.fit(width))
	if i := slices.IndexFunc(t, func(c column) bool { return c.grow }); i >= 0 {
		t[i].width += max(0, min(width, MaxWidth)-t.width())
	}
	if p.ascii || p.unit != "" {
		t = slices.DeleteFunc(t, func(c column) bool { return c.title == "shape" })
	}
	return t
}

// of is the column with a title.
func (t table) of(title string) column {
	return t[slices.IndexFunc(t, func(c column) bool { return c.title == title })]
}

// cells lays out one row: cell returns each column's content by its title.
func (p *page) cells(t table, cell func(title string) styled) []styled {
	row := make([]styled, 0, len(t))
	for _, c := range t {
		s := cell(c.title)
		if s.text = p.clean(s.text); c.left {
			s.text = " " + pad(s.text, c.width)
		} else {
			s.text = " " + padLeft(s.text, c.width)
		}
		row = append(row, s)
	}
	return row
}

// header is the row of titles. A column of times names the page's unit.
func (p *page) header(t table) []styled {
	return p.cells(t, func(title string) styled { return styled{p.title(t.of(title)), dim} })
}

func (p *page) title(c column) string {
	if c.time && p.unit != "" {
		return strings.ReplaceAll(c.title, " ", "_") + "_" + p.unit
	}
	return c.title
}

// timeUnits are the units of Options.Unit, in ns.
var timeUnits = map[string]float64{"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}

// KnownUnit reports whether a page can have this unit.
func KnownUnit(name string) bool { return timeUnits[name] != 0 }

// time writes a time of a column: with its unit, or as a plain number where the page has one unit.
func (p *page) time(ns float64) string {
	if p.unit == "" {
		return unit.Duration(ns)
	}
	return strconv.FormatFloat(unit.Round(ns/timeUnits[p.unit], 6), 'f', -1, 64)
}

// atLeast writes a lower bound of a time.
func (p *page) atLeast(ns float64) string {
	if p.unit == "" {
		return "≥ " + p.time(ns)
	}
	return p.time(ns)
}

// between writes a time that lies between two. A page with one unit has the lower bound alone.
func (p *page) between(lo, hi int64) string {
	if p.unit == "" && lo != hi {
		return unit.DurationRange(lo, hi)
	}
	return p.time(float64(lo))
}

// span writes a range that is no measurement.
func (p *page) span(lo, hi int64) string {
	if p.unit == "" {
		return unit.DurationRange(lo, hi)
	}
	return p.time(float64(lo)) + "–" + p.time(float64(hi))
}

// ns writes nanoseconds, which may be unknown.
func (p *page) ns(v *int64) string {
	if v == nil {
		return none
	}
	return p.time(float64(*v))
}

// pad fills s with spaces to n columns, or cuts it to n.
func pad(s string, n int) string {
	if have := columns(s); have <= n {
		return s + strings.Repeat(" ", n-have)
	}
	return pad(beginning(s, n-1)+"…", n)
}

// padLeft fills s with spaces in front to n columns; numbers are never cut.
func padLeft(s string, n int) string {
	return strings.Repeat(" ", max(n-columns(s), 0)) + s
}
