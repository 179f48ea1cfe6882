package text

import (
	"io"
	"regexp"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
)

// WriteStatement writes a statement in full, with the last verdict on it. nil = there is no verdict
// yet.
func WriteStatement(w io.Writer, s contract.Statement, last *report.Verdicts, o Options) error {
	p := newPage(o)
	p.field(s.ID, bold, s.Claim)
	p.line()
	cite := s.Citation()
	if cite.Spec != "" {
		p.field("specified", plain, "“"+cite.Spec+"”")
	}
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
	if cite.See != nil {
		p.field("see", plain, strings.Join(cite.See, ", "))
	}
	p.line()
	if last == nil || len(last.Verdicts) == 0 {
		p.field("verdict", plain, "none yet: pinwatch verify --only "+s.ID)
	} else {
		row := &last.Verdicts[0]
		p.field("verdict", verdictStyles[row.Verdict], report.Words(row.Verdict))
		p.field("got", plain, row.Got)
		p.field("why", plain, row.Why)
		for _, f := range row.Citation() {
			if f.Name != "spec" && f.Name != "see" {
				p.field(f.Name, plain, f.Text)
			}
		}
		p.field("when", plain, last.Finished, last.GoVersion)
		p.field("where", plain, last.Host.Words()...)
		p.environment(last)
		for _, warning := range row.Warnings {
			p.field("note", plain, warning)
		}
		p.field("again", plain, row.Reproduce)
	}
	return p.write(w)
}

// WriteStatements lists the claims of statements by section.
func WriteStatements(w io.Writer, all []contract.Statement, o Options) error {
	p := newPage(o)
	section := ""
	for _, s := range all {
		if s.Section != section {
			if section = s.Section; s.ID != all[0].ID {
				p.line()
			}
			for _, c := range contract.Sections {
				if c.ID == section {
					p.line(styled{c.Title, bold})
				}
			}
		}
		p.field("  "+s.ID, plain, s.Claim)
	}
	return p.write(w)
}

// WriteSection writes an explanation in Markdown: paragraphs wrapped, code as it stands.
func WriteSection(w io.Writer, title, body string, o Options) error {
	p := newPage(o)
	p.line(styled{title, bold})
	code, paragraph := false, []string{}
	flush := func() {
		if len(paragraph) > 0 {
			p.line()
			p.wrap("  ", plain, "  ", plain, []string{unmarked(strings.Join(paragraph, " "))})
			paragraph = nil
		}
	}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			flush()
			if code = !code; code {
				p.line()
			}
		case code:
			p.line(styled{"    " + strings.ReplaceAll(line, "\t", "    "), plain})
		case strings.TrimSpace(line) == "":
			flush()
		default:
			paragraph = append(paragraph, strings.TrimSpace(line))
		}
	}
	flush()
	return p.write(w)
}

// link is a link of Markdown.
var link = regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`)

// unmarked leaves out the marks of Markdown inside a line.
func unmarked(line string) string {
	return strings.NewReplacer("`", "", "**", "").Replace(link.ReplaceAllString(line, "$1"))
}
