package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/pinwatch/pinwatch/internal/contract"
)

//go:embed verdicts.html.tmpl
var verdictsPage string

var verdictsTemplate = template.Must(template.New("verdicts").Funcs(template.FuncMap{
	"words":    func(verdict string) string { return wordsOf(verdict).words },
	"mark":     func(verdict string) string { return wordsOf(verdict).mark },
	"host":     func(v *Verdicts) []string { return v.Host.words() },
	"sections": verdictSections,
	"shares":   (*Verdicts).shares,
	"quantity": contract.Quantity,
}).Parse(verdictsPage))

// WriteVerdictsHTML writes one page that needs nothing else: no script, no font, no picture from elsewhere.
func WriteVerdictsHTML(w io.Writer, vs []*Verdicts) error {
	if err := verdictsTemplate.Execute(w, vs); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// verdictSection is a section with what was said of it.
type verdictSection struct {
	ID, Title string
	Verdicts  []StatementVerdict
}

func verdictSections(v *Verdicts) (sections []verdictSection) {
	for _, c := range contract.Sections {
		s := verdictSection{ID: c.ID, Title: c.Title}
		for _, row := range v.Verdicts {
			if row.Section == c.ID {
				s.Verdicts = append(s.Verdicts, row)
			}
		}
		if s.Verdicts != nil {
			sections = append(sections, s)
		}
	}
	return sections
}

// share is how many verdicts are of one kind.
type share struct {
	Verdict string
	N       int
}

func (v *Verdicts) shares() (shares []share) {
	for _, w := range verdictWords {
		s := share{Verdict: w.verdict}
		for i := range v.Verdicts {
			if v.Verdicts[i].Verdict == w.verdict {
				s.N++
			}
		}
		if s.N > 0 {
			shares = append(shares, s)
		}
	}
	return shares
}
