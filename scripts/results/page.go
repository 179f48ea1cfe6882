package results

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// page formats a column's evidence: for each statement the wanted and the observed value, and the
// experiments behind it.
func page(s Summary, command string, v *report.Verdicts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n*`%s`, %s: pinwatch %s; workloads built by %s; Linux %s (%s).*\n\n",
		s.Title, command, s.Finished, s.Pinwatch, s.GoVersion, s.Kernel, machine(v.Host))
	var counts []string
	for i, n := range tally(s) {
		if n != "0" {
			counts = append(counts, n+" "+words[i].words)
		}
	}
	b.WriteString(strings.Join(counts, " · ") + ".\n")
	fmt.Fprintf(&b, "\n%s.\n", cell(strings.Join(v.Environment.Words(), " · ")))
	if s.Interrupted {
		b.WriteString("\nThe time allowed was over before everything had been done.\n")
	}
	header := []string{"", "verdict", "n", "got", "want", "why", "evidence"}
	for _, section := range contract.Sections {
		var rows [][]string
		for i := range v.Verdicts {
			if v.Verdicts[i].Section == section.ID {
				rows = append(rows, evidence(v, &v.Verdicts[i]))
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(&b, "\n## %s\n\n%s", section.Title, table(header, rows))
		}
	}
	return b.String()
}

func machine(h report.Host) string {
	model := "CPU not known"
	if h.CPUModel != nil {
		model = *h.CPUModel
	}
	cpus := "?"
	if h.CPUs != nil {
		cpus = fmt.Sprint(*h.CPUs)
	}
	return fmt.Sprintf("%s CPUs: %s; virtualization: %s", cpus, model, h.Virtualization)
}

// evidence is a statement's row. Tables link to it.
func evidence(v *report.Verdicts, row *report.StatementVerdict) []string {
	text, bold := wordsOf(word(v, row))
	if row.ReadInSource() {
		text += ", by source"
	}
	if bold {
		text = "**" + text + "**"
	}
	if st, _ := contract.Find(row.ID); st.OneHost() {
		text += ofOneHost
	}
	var cited []string
	why := append([]string{row.Why}, row.Warnings...)
	for _, f := range row.Citation() {
		if f.Name != "spec" {
			cited = append(cited, "*"+f.Name+"* "+cell(f.Text))
		}
	}
	var seen []string
	want := cell(row.Want)
	if row.Evidence.Original != nil {
		want += "<br>“" + cell(*row.Evidence.Original) + "”"
	}
	for _, x := range row.Evidence.Experiments {
		seen = append(seen, experiment(x))
	}
	return []string{
		fmt.Sprintf("<a id=%q></a>%s", anchor(row.ID), row.ID), text, fmt.Sprint(row.N), cell(row.Got), want,
		strings.Join(append([]string{cell(strings.Join(why, "; warning: "))}, cited...), "<br>"), strings.Join(seen, "<br>"),
	}
}

// experiment formats one experiment in a line: its name, counts, medians and outcomes.
func experiment(x report.Experiment) string {
	parts := []string{"`" + x.Name + "`"}
	switch {
	case x.Unable != nil:
		return parts[0] + ": can't be done: " + cell(*x.Unable)
	case x.Failed != nil:
		return parts[0] + ": went wrong: " + cell(*x.Failed)
	}
	for _, k := range slices.Sorted(maps.Keys(x.Counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", cell(k), x.Counts[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(x.Samples)) {
		s := x.Samples[k]
		parts = append(parts, fmt.Sprintf("%s p50 %s, p90 %s of %d",
			cell(k), unit.Quantity(s.P50, s.Unit), unit.Quantity(s.P90, s.Unit), s.N))
	}
	for _, k := range slices.Sorted(maps.Keys(x.Outcomes)) {
		parts = append(parts, fmt.Sprintf("%s: %d different in %d runs", cell(k), x.Outcomes[k].Distinct, x.Outcomes[k].Runs))
	}
	if x.Lossy {
		parts = append(parts, "records lost")
	}
	if x.NoiseCPUs >= 0.05 {
		parts = append(parts, fmt.Sprintf("others kept %.1f CPUs busy", x.NoiseCPUs))
	}
	return strings.Join(parts, "; ")
}
