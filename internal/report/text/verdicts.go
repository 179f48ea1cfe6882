package text

import (
	"io"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
)

// verdictStyles colour the verdicts.
var verdictStyles = map[string]style{
	contract.Holds: good, contract.HoldsExcept: notice, contract.Refuted: bad, contract.OutOfRange: bad,
	contract.Witnessed: good, contract.Borderline: notice, contract.Inconclusive: notice, contract.NotWitnessed: dim,
	contract.NotTestable: dim,
}

// WriteVerdicts writes verdicts by section: for each what is wanted, what was measured, and why the
// verdict follows. Verbose adds all that a reader needs who cites it.
func WriteVerdicts(w io.Writer, vs []*report.Verdicts, o Options) error {
	p := newPage(o)
	for i, v := range vs {
		if i > 0 {
			p.line()
		}
		p.verdicts(v, o.Verbose)
	}
	return p.write(w)
}

func (p *page) verdicts(v *report.Verdicts, verbose bool) {
	p.field("host", plain, v.Host.Words()...)
	p.field("release", plain, v.GoVersion, "pinwatch "+v.Pinwatch.Version, v.Finished)
	p.environment(v)
	p.field("verdicts", bold, v.TallyWords()...)
	for _, s := range v.Tally() {
		if s.IDs != nil && len(v.Verdicts) > 1 {
			p.field("", verdictStyles[s.Verdict], report.Words(s.Verdict)+": "+strings.Join(s.IDs, ", "))
		}
	}
	if ids := notDone(v); ids != nil {
		p.field("", notice, "interrupted; not run: "+strings.Join(ids, ", "))
	} else if v.Interrupted {
		p.field("", notice, "interrupted")
	}
	for _, section := range contract.Sections {
		begun := false
		for i := range v.Verdicts {
			if row := &v.Verdicts[i]; row.Section == section.ID && !v.NotDone(row) {
				if !begun {
					p.line()
					p.line(styled{section.Title, bold})
					begun = true
				}
				p.verdict(v, row, verbose)
			}
		}
	}
}

// environment writes what the workloads ran under.
func (p *page) environment(v *report.Verdicts) {
	if handed := v.Environment.Handed(); handed != "" {
		p.field("settings", notice, handed+", handed to the workloads: the verdicts are about that")
	}
	for _, note := range v.Environment.Notes {
		p.field("", notice, note)
	}
	p.field("limits", plain, v.Environment.Words()...)
}

func notDone(v *report.Verdicts) (ids []string) {
	for i := range v.Verdicts {
		if v.NotDone(&v.Verdicts[i]) {
			ids = append(ids, v.Verdicts[i].ID)
		}
	}
	return ids
}

// idWidth and wordWidth are the column widths of a verdict's id and words, after its mark.
const (
	idWidth   = 10
	wordWidth = 14
)

func (p *page) verdict(v *report.Verdicts, row *report.StatementVerdict, verbose bool) {
	st := verdictStyles[row.Verdict]
	indent := strings.Repeat(" ", 2+idWidth+wordWidth)
	head := []styled{{report.Mark(row.Verdict) + " ", st}, {pad(row.ID, idWidth), bold},
		{pad(report.Words(row.Verdict), wordWidth), st}}
	for _, text := range wrapped(row.Evidence.Claim, p.width-columns(indent)) {
		p.line(append(head, styled{text, plain})...)
		head = []styled{{indent, plain}}
	}
	labels := 6
	if verbose { // the names of a citation are longer, and so are its lines
		indent, labels = strings.Repeat(" ", 2+idWidth), 10
	}
	add := func(label string, st style, text string) {
		p.wrap(indent+pad(label, labels), dim, indent+strings.Repeat(" ", labels), st, []string{text})
	}
	add("want", plain, row.Want)
	add("got", st, row.Got)
	add("why", plain, row.Why)
	for _, f := range row.Citation() {
		if verbose || row.Corrected != nil && (f.Name == "true" || f.Name == "see") {
			add(f.Name, plain, f.Text)
		}
	}
	if row.ReadInSource() {
		add("by", plain, "the runtime's source of "+v.GoVersion)
	}
	if verbose {
		add("scope", plain, row.Evidence.Scope)
		add("measured", plain, row.Evidence.Method)
	}
	for _, warning := range row.Warnings {
		add("note", dim, warning)
	}
	if verbose {
		add("again", plain, row.Reproduce)
	}
}

// wrapped breaks a text between words into lines no wider than width. A longer word has a line by
// itself.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for _, word := range unbroken(text) {
		switch {
		case line == "":
			line = word
		case columns(line+" "+word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
