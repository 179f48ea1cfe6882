package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// WriteVerdictsMarkdown writes a table for each section.
func WriteVerdictsMarkdown(w io.Writer, vs []*Verdicts) error {
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;").Replace
	for _, v := range vs {
		fmt.Fprintf(&b, "## %s\n\n%s · pinwatch %s · %s\n\n%s\n", cell(v.GoVersion), cell(v.Where()),
			cell(v.Pinwatch.Version), v.Finished,
			strings.Join(v.TallyWords(), " · "))
		fmt.Fprintf(&b, "\n%s\n", cell(strings.Join(v.Environment.Words(), " · ")))
		for _, line := range v.settings() {
			b.WriteString("\n" + cell(line) + "\n")
		}
		if v.Interrupted {
			b.WriteString("\nInterrupted: some statements were not run.\n")
		}
		for _, section := range contract.Sections {
			begun := false
			for i := range v.Verdicts {
				row := &v.Verdicts[i]
				if row.Section != section.ID {
					continue
				}
				if !begun {
					fmt.Fprintf(&b, "\n### %s\n\n| | claim | verdict | want | got | why |\n|---|---|---|---|---|---|\n",
						section.Title)
					begun = true
				}
				why := append(append([]string{row.Why}, row.cited()...), "again: "+row.Reproduce)
				fmt.Fprintf(&b, "| %s | %s | %s %s | %s | %s | %s |\n", cell(row.ID), cell(row.Evidence.Claim),
					Mark(v.Kind(row)), v.KindWords(row),
					cell(row.Want), cell(row.Got), cell(strings.Join(why, "; ")))
			}
		}
		b.WriteByte('\n')
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}
