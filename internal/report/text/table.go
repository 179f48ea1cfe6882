package text

import (
	"strings"
	"unicode/utf8"
)

// column is one column of a table.
type column struct {
	title string
	width int
	left  bool // text stands left, numbers right
	spare int  // a narrow page leaves out the columns with the highest number first; 0 = never left out
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

// cells lays out one row: cell returns each column's content by its title.
func (t table) cells(cell func(title string) styled) []styled {
	row := make([]styled, 0, len(t))
	for _, c := range t {
		s := cell(c.title)
		if c.left {
			s.text = " " + pad(s.text, c.width)
		} else {
			s.text = " " + padLeft(s.text, c.width)
		}
		row = append(row, s)
	}
	return row
}

// header is the row of titles.
func (t table) header() []styled {
	return t.cells(func(title string) styled { return styled{title, dim} })
}

// pad fills s with spaces to n runes, or cuts it to n.
func pad(s string, n int) string {
	if have := utf8.RuneCountInString(s); have <= n {
		return s + strings.Repeat(" ", n-have)
	}
	return string([]rune(s)[:n-1]) + "…"
}

// padLeft fills s with spaces in front to n runes; numbers are never cut.
func padLeft(s string, n int) string {
	return strings.Repeat(" ", max(n-utf8.RuneCountInString(s), 0)) + s
}
