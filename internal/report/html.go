package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/unit"
)

//go:embed verdicts.html.tmpl
var verdictsPage string

var verdictsTemplate = template.Must(template.New("verdicts").Funcs(template.FuncMap{
	"words":    Words,
	"mark":     Mark,
	"kind":     func(v *Verdicts, row StatementVerdict) string { return v.Kind(&row) },
	"host":     func(v *Verdicts) []string { return v.Host.Words() },
	"settings": (*Verdicts).settings,
	"around":   func(v *Verdicts) []string { return v.Environment.Words() },
	"cited":    func(row StatementVerdict) []Field { return row.Citation() },
	"verdict":  func(v *Verdicts, row StatementVerdict) string { return v.KindWords(&row) },
	"sections": verdictSections,
	"tally":    (*Verdicts).Tally,
	"quantity": unit.Quantity,
	"spread":   spread,
}).Parse(verdictsPage))

// WriteVerdictsHTML writes one page that is complete: no script, font or picture from another
// server.
func WriteVerdictsHTML(w io.Writer, vs []*Verdicts) error {
	if err := verdictsTemplate.Execute(w, vs); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// verdictSection holds the verdicts of one section.
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

// spread draws a sample on a logarithmic scale: a line from its least to its greatest value, a bar
// from the median to the 99th percentile, and behind them the claimed range.
func spread(s SampleSummary) template.HTML {
	const width, height = 220.0, 14.0
	if s.N == 0 || s.Max <= 0 {
		return ""
	}
	lo, hi := max(s.Min, s.Max/1e6), s.Max
	if s.Range != nil {
		lo = min(lo, max(s.Range[0], lo/10))
		if s.Range[1] < 100*hi {
			hi = max(hi, s.Range[1])
		}
	}
	lo, hi = lo/1.3, hi*1.3
	x := func(v float64) float64 {
		return width * math.Log(min(max(v, lo), hi)/lo) / math.Log(hi/lo)
	}
	svg := fmt.Sprintf(`<svg width="%g" height="%g" viewBox="0 0 %g %g" role="img" aria-label="distribution">`, width,
		height, width, height)
	if s.Range != nil {
		svg += fmt.Sprintf(`<rect class="range" x="%.1f" y="0" width="%.1f" height="%g" rx="2"/>`, x(s.Range[0]),
			max(1, x(s.Range[1])-x(s.Range[0])), height)
	}
	svg += fmt.Sprintf(`<path class="whole" d="M%.1f 7H%.1f"/>`, x(s.Min), x(s.Max))
	svg += fmt.Sprintf(`<rect class="most" x="%.1f" y="4" width="%.1f" height="6" rx="2"/>`, x(s.P50),
		max(1, x(s.P99)-x(s.P50)))
	svg += fmt.Sprintf(`<circle class="middle" cx="%.1f" cy="7" r="4"/></svg>`, x(s.P50))
	return template.HTML(svg) // numbers only
}
