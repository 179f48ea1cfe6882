package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// style is the colour of a piece of text. It only repeats the meaning of the words.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	good   style = "32"
	bad    style = "31"
	notice style = "33"
)

// styled is text in one style.
type styled struct {
	text  string
	style style
}

// page collects lines that are never wider than its width in columns of a terminal.
type page struct {
	b     strings.Builder
	width int
	color bool
	ascii bool
	unit  string // of the columns of times; "" = each time has its own
}

func newPage(o Options) *page {
	if o.Width <= 0 {
		o.Width = DefaultWidth
	}
	return &page{width: o.Width, color: o.Color, ascii: o.ASCII, unit: o.Unit}
}

// height counts the lines so far.
func (p *page) height() int { return strings.Count(p.b.String(), "\n") }

func (p *page) write(w io.Writer) error {
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	return nil
}

// cut leaves out the lines beyond a height; 0 = none.
func (p *page) cut(height int) {
	lines := strings.SplitAfter(strings.TrimSuffix(p.b.String(), "\n"), "\n")
	if height <= 0 || len(lines) <= height {
		return
	}
	kept := max(height-1, 0)
	p.b.Reset()
	p.b.WriteString(strings.Join(lines[:kept], ""))
	p.line(styled{fmt.Sprintf("… %d more lines: a higher terminal, a pipe or --by shows them", len(lines)-kept), dim})
}

// line adds one line and cuts what does not fit. Characters that could move the cursor are
// replaced: the target chooses its thread names and paths.
func (p *page) line(pieces ...styled) {
	for len(pieces) > 0 && strings.Trim(pieces[len(pieces)-1].text, " ") == "" {
		pieces = pieces[:len(pieces)-1]
	}
	left := p.width
	for i, s := range pieces {
		text := p.clean(s.text)
		if i == len(pieces)-1 {
			text = strings.TrimRight(text, " ")
		}
		if n := columns(text); n > left {
			text = p.clean(beginning(text, left-1) + "…")
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

// wide are the characters that take two columns: East Asian Wide and Fullwidth (Unicode UAX #11), and emoji.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{0x1100, 0x115f, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0xa4cf, 1}, {0xac00, 0xd7a3, 1},
		{0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1}},
	R32: []unicode.Range32{{0x1f300, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f900, 0x1f9ff, 1}, {0x20000, 0x3fffd, 1}},
}

// columns is how many columns of a terminal a text takes.
func columns(text string) (n int) {
	for _, r := range text {
		switch {
		case r < 0x300:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.Is(wide, r):
			n += 2
		default:
			n++
		}
	}
	return n
}

// beginning is as much of a text as so many columns hold.
func beginning(text string, room int) string {
	for i, r := range text {
		if room -= columns(string(r)); room < 0 {
			return text[:i]
		}
	}
	return text
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// inASCII spells the signs that a page uses. Only the first three change the length of a line.
var inASCII = strings.NewReplacer("≥", ">=", "≤", "<=", "→", "->", " · ", "; ", " ·", ";", "·", "-", "µ", "u",
	"×", "x", "–", "-", "−", "-", "…", "~", "★", "*", "✔", "+", "◐", "~", "✘", "x", "▲", "^")

// clean replaces what a terminal would obey and, on a page in ASCII, every other sign.
func (p *page) clean(text string) string {
	text = strings.Map(printable, text)
	if !p.ascii {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '?'
		}
		return r
	}, inASCII.Replace(text))
}

// labelWidth is the width of a label in front of its text.
const labelWidth = 12

var labelIndent = strings.Repeat(" ", labelWidth)

// field adds a label and parts joined by " · ", broken between parts where possible. Further lines
// are indented like the first one's text.
func (p *page) field(label string, st style, parts ...string) {
	p.wrap(pad(label, labelWidth), bold, labelIndent, st, parts)
}

// note adds an indented remark that wraps like a field.
func (p *page) note(st style, parts ...string) { p.wrap("  ", plain, "  ", st, parts) }

// wrap fills lines with parts. The first line begins with first, all others with rest.
func (p *page) wrap(first string, firstStyle style, rest string, st style, parts []string) {
	const sep = " · "
	room := max(p.width-columns(first), 1)
	fits := func(line string, more bool) bool { // with the separator that ends a line when more parts follow
		n := columns(line)
		if more {
			n += columns(" ·")
		}
		return n <= room
	}
	line := ""
	flush := func() {
		p.line(styled{first, firstStyle}, styled{line, st})
		first, line = rest, ""
	}
	for i, part := range parts {
		part = p.clean(part)
		more := i < len(parts)-1
		if i > 0 {
			if fits(line+sep+part, more) {
				line += sep + part
				continue
			}
			line += " ·"
			flush()
		}
		words := unbroken(part)
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

// unbroken splits a text where a line may end: between words, but not between a number and its unit.
func unbroken(text string) []string {
	fields := strings.Fields(text)
	words := fields[:0]
	for _, f := range fields {
		n := len(words)
		unit, _, _ := strings.Cut(f, "–") // 6.84 µs–7.42 µs
		if n > 0 && unicode.IsDigit(rune(words[n-1][len(words[n-1])-1])) &&
			slices.Contains(unitWords, strings.TrimRight(unit, ".,:;)")) {
			words[n-1] += " " + f
			continue
		}
		words = append(words, f)
	}
	return words
}

// unitWords follow numbers.
var unitWords = []string{"ns", "µs", "us", "ms", "s", "%", "MiB", "KiB", "GiB", "MB", "GB", "CPUs", "×"}
