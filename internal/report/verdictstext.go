package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// WriteVerdictsText writes verdicts for eyes, by section: what was got, what was wanted and why in a line each.
func WriteVerdictsText(w io.Writer, vs []*Verdicts, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = DefaultWidth
	}
	p := &page{width: o.Width, color: o.Color}
	for i, v := range vs {
		if i > 0 {
			p.line()
		}
		p.verdicts(v)
	}
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("write verdicts: %w", err)
	}
	return nil
}

func (p *page) verdicts(v *Verdicts) {
	p.field("host", plain, v.Host.words()...)
	p.field("release", plain, v.GoVersion, "pinwatch "+v.Pinwatch.Version, v.Finished)
	p.field("verdicts", bold, v.tally()...)
	for _, s := range v.shares() {
		if s.IDs != nil && len(v.Verdicts) > 1 {
			p.field("", wordsOf(s.Verdict).style, Words(s.Verdict)+": "+strings.Join(s.IDs, ", "))
		}
	}
	if ids := v.notDone(); ids != nil {
		p.field("", notice, "interrupted; not done, and so inconclusive: "+strings.Join(ids, ", "))
	} else if v.Interrupted {
		p.field("", notice, "interrupted")
	}
	for _, section := range contract.Sections {
		begun := false
		for i := range v.Verdicts {
			if row := &v.Verdicts[i]; row.Section == section.ID && !v.NotDone(row) {
				if !begun {
					p.line()
					p.line(span{section.Title, bold})
					begun = true
				}
				p.verdict(row)
			}
		}
	}
}

func (v *Verdicts) notDone() (ids []string) {
	for i := range v.Verdicts {
		if v.NotDone(&v.Verdicts[i]) {
			ids = append(ids, v.Verdicts[i].ID)
		}
	}
	return ids
}

// idWidth and wordWidth are the columns of a verdict's id and words, behind its mark.
const (
	idWidth   = 10
	wordWidth = 14
)

func (p *page) verdict(row *StatementVerdict) {
	w := wordsOf(row.Verdict)
	indent := strings.Repeat(" ", 2+idWidth+wordWidth)
	head := []span{{w.mark + " ", w.style}, {pad(row.ID, idWidth), bold}, {pad(w.words, wordWidth), w.style}}
	for _, text := range wrapped(row.Evidence.Claim, p.width-utf8.RuneCountInString(indent)) {
		p.line(append(head, span{text, plain})...)
		head = []span{{indent, plain}}
	}
	say := func(label string, st style, text string) {
		p.wrap(indent+pad(label, 6), dim, indent+"      ", st, []string{text})
	}
	say("want", plain, row.Want)
	say("got", w.style, row.Got)
	say("why", plain, row.Why)
	for _, warning := range row.Warnings {
		say("note", dim, warning)
	}
}

// wrapped breaks a text between words into lines no wider than width, as far as its words allow.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line+" "+word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

func wordsOf(verdict string) (w struct {
	verdict, words, mark string
	style                style
}) {
	for _, w = range verdictWords {
		if w.verdict == verdict {
			break
		}
	}
	return w
}

// words are the machine in a few words.
func (h *Host) words() []string {
	parts := []string{strings.Join(strings.Fields("Linux "+or(h.Kernel, "")+" "+h.Arch), " ")}
	if h.CPUs != nil {
		parts = append(parts, fmt.Sprintf("%d × %s", *h.CPUs, or(h.CPUModel, "CPU")))
	}
	switch h.Virtualization {
	case "none":
		parts = append(parts, "bare metal")
	case "unknown":
	case "other":
		parts = append(parts, "virtual machine")
	default:
		parts = append(parts, h.Virtualization+" guest")
	}
	if h.Clocksource != nil {
		parts = append(parts, "clock "+*h.Clocksource)
	}
	return parts
}
