package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// style is how a piece of text looks when colour is on. It never carries meaning of its own: words do.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	good   style = "32"
	bad    style = "31"
	notice style = "33"
)

// span is text in one style.
type span struct {
	text  string
	style style
}

// page collects lines that are never wider than its width in runes.
type page struct {
	b     strings.Builder
	width int
	color bool
}

// line adds one line and cuts what does not fit. Whatever could move the cursor is replaced: thread names and paths are the target's words.
func (p *page) line(spans ...span) {
	left := p.width
	for i, s := range spans {
		text := strings.Map(printable, s.text)
		if i == len(spans)-1 {
			text = strings.TrimRight(text, " ")
		}
		if n := utf8.RuneCountInString(text); n > left {
			text = string([]rune(text)[:max(left-1, 0)]) + "…"
			left = 0
		} else {
			left -= n
		}
		if p.color && s.style != plain && text != "" {
			text = "\x1b[" + string(s.style) + "m" + text + "\x1b[0m"
		}
		p.b.WriteString(text)
		if left == 0 {
			break
		}
	}
	p.b.WriteByte('\n')
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// labelWidth is the room of a label in front of its text.
const labelWidth = 12

var labelIndent = strings.Repeat(" ", labelWidth)

// field adds a label and parts joined by " · ", broken between parts where possible; further lines are indented to the first's text.
func (p *page) field(label string, st style, parts ...string) {
	p.wrap(pad(label, labelWidth), bold, labelIndent, st, parts)
}

// note adds an indented remark that wraps like a field.
func (p *page) note(st style, parts ...string) { p.wrap("  ", plain, "  ", st, parts) }

// wrap fills lines with parts; first begins the first line, rest all others.
func (p *page) wrap(first string, firstStyle style, rest string, st style, parts []string) {
	const sep = " · "
	room := max(p.width-utf8.RuneCountInString(first), 1)
	fits := func(line string, more bool) bool { // with the separator that ends a line when more parts follow
		n := utf8.RuneCountInString(line)
		if more {
			n += utf8.RuneCountInString(" ·")
		}
		return n <= room
	}
	line := ""
	flush := func() {
		p.line(span{first, firstStyle}, span{line, st})
		first, line = rest, ""
	}
	for i, part := range parts {
		more := i < len(parts)-1
		if i > 0 {
			if fits(line+sep+part, more) {
				line += sep + part
				continue
			}
			line += " ·"
			flush()
		}
		words := strings.Fields(part)
		for j, word := range words {
			switch {
			case line == "":
				line = word
			case fits(line+" "+word, more && j == len(words)-1):
				line += " " + word
			default:
				flush()
				line = word
			}
		}
	}
	flush()
}

// column is one column of a table.
type column struct {
	title string
	width int
	left  bool // numbers stand right
	spare int  // columns that a narrow page leaves out first have the highest number; 0 = never left out
}

// table lays out rows of cells under fixed columns.
type table []column

// fit leaves out columns until the table is no wider than width; a gap of one stands before each column.
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

// join gives the room of the second column to the first where it has no title, and so only explains the first.
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

// cells lays out one row: cell gives each column's content by its title.
func (t table) cells(cell func(title string) span) []span {
	spans := make([]span, 0, len(t))
	for _, c := range t {
		s := cell(c.title)
		if c.left {
			s.text = " " + pad(s.text, c.width)
		} else {
			s.text = " " + padLeft(s.text, c.width)
		}
		spans = append(spans, s)
	}
	return spans
}

// header is the row of titles.
func (t table) header() []span {
	return t.cells(func(title string) span { return span{title, dim} })
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
