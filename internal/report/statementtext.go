package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// WriteStatement says all there is to know of a statement, with the last verdict on it; nil = there is none.
func WriteStatement(w io.Writer, s contract.Statement, last *Verdicts, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = DefaultWidth
	}
	p := &page{width: o.Width, color: o.Color}
	p.field(s.ID, bold, s.Claim)
	p.line()
	p.field("section", plain, s.Section)
	p.field("scope", plain, s.Scope.String())
	p.field("measured", plain, s.Method)
	p.field("wanted", plain, s.Want)
	p.field("refuted by", plain, s.Refuter)
	if s.Never != "" {
		p.field("not here", plain, s.Never)
	} else {
		p.field("experiments", plain, strings.Join(s.Experiments(), ", "))
	}
	p.line()
	if last == nil || len(last.Verdicts) == 0 {
		p.field("verdict", plain, "none yet: pinwatch verify --only "+s.ID)
	} else {
		row := &last.Verdicts[0]
		words := wordsOf(row.Verdict)
		p.field("verdict", words.style, words.words)
		p.field("got", plain, row.Got)
		p.field("why", plain, row.Why)
		p.field("when", plain, last.Finished, last.GoVersion)
		p.field("where", plain, last.Host.words()...)
		for _, warning := range row.Warnings {
			p.field("note", plain, warning)
		}
		p.field("again", plain, row.Reproduce)
	}
	return p.to(w)
}

// WriteStatements lists statements, a line or two each.
func WriteStatements(w io.Writer, all []contract.Statement, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = DefaultWidth
	}
	p := &page{width: o.Width, color: o.Color}
	section := ""
	for _, s := range all {
		if s.Section != section {
			if section = s.Section; s.ID != all[0].ID {
				p.line()
			}
			for _, c := range contract.Sections {
				if c.ID == section {
					p.line(span{c.Title, bold})
				}
			}
		}
		p.field("  "+s.ID, plain, s.Claim)
	}
	return p.to(w)
}

func (p *page) to(w io.Writer) error {
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	return nil
}
