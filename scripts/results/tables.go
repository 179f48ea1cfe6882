package results

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// words lists the verdicts in the order of their columns. Those in bold contradict the
// specification.
var words = []struct {
	verdict, words string
	bold           bool
}{
	{contract.Holds, "holds", false},
	{contract.HoldsExcept, "holds except", false},
	{contract.Witnessed, "witnessed", false},
	{contract.NotWitnessed, "not witnessed", false},
	{contract.Refuted, "refuted", true},
	{contract.OutOfRange, "out of range", true},
	{contract.Borderline, "borderline", false},
	{contract.Inconclusive, "inconclusive", false},
	{contract.NotTestable, "not testable", false},
	{NotRun, "not run", false},
}

// ofOneHost marks a statement about a cost of the machine as much as of Go.
const ofOneHost = " *(of one host)*"

// wordsOf returns a verdict in words. A verdict that is not in words has not run.
func wordsOf(verdict string) (text string, bold bool) {
	for _, w := range words {
		if w.verdict == verdict {
			return w.words, w.bold
		}
	}
	return "not run", false
}

// Tables formats the runs, the statements in which they differ, and every statement's verdict in
// each. Links lead below the folder.
func Tables(columns []Column, summaries []Summary, folder string) string {
	var b strings.Builder
	b.WriteString(madeBy(summaries) + runs(columns, summaries, folder))
	if text := differences(summaries); text != "" {
		b.WriteString("\nNot the same in all of them, where there is a verdict:\n\n" + text)
	}
	for _, section := range contract.Sections {
		b.WriteString("\n### " + section.Title + "\n\n")
		header := []string{"", "claim"}
		for _, s := range summaries {
			header = append(header, s.Title)
		}
		var rows [][]string
		for _, st := range contract.Statements() {
			if st.Section != section.ID {
				continue
			}
			claim := cell(st.Claim)
			if st.OneHost() {
				claim += ofOneHost
			}
			row := []string{st.ID, claim}
			for i, s := range summaries {
				row = append(row, verdictCell(s.Verdicts[st.ID], folder+columns[i].Key+".md#"+anchor(st.ID)))
			}
			rows = append(rows, row)
		}
		b.WriteString(table(header, rows))
	}
	return b.String()
}

// Overview is a plain table, one line per statement that has a verdict in one of the columns.
func Overview(summaries []Summary) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "STATEMENT")
	for _, s := range summaries {
		fmt.Fprint(t, "\t"+s.Title)
	}
	fmt.Fprintln(t)
	for _, st := range contract.Statements() {
		if !slices.ContainsFunc(summaries, func(s Summary) bool { return s.Verdicts[st.ID] != "" }) {
			continue
		}
		fmt.Fprint(t, st.ID)
		for _, s := range summaries {
			text, _ := wordsOf(s.Verdicts[st.ID])
			fmt.Fprint(t, "\t"+text)
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	return b.String()
}

// verdictCell is a verdict that links to its evidence.
func verdictCell(verdict, link string) string {
	text, bold := wordsOf(verdict)
	switch {
	case verdict == "" || verdict == NotRun:
		return text
	case bold:
		text = "**" + text + "**"
	}
	return "[" + text + "](" + link + ")"
}

// runs formats a table of the columns: where and when each was made, and the counts of its
// verdicts.
func runs(columns []Column, summaries []Summary, folder string) string {
	header := []string{"", "workloads by", "kernel", "machine", "run"}
	for _, w := range words {
		header = append(header, w.words)
	}
	var rows [][]string
	for i, s := range summaries {
		if s.Finished == "" {
			none := strconv.Itoa(len(contract.Statements()))
			row := append([]string{s.Title, "", "", "", "not run"}, make([]string, len(words)-1)...)
			rows = append(rows, append(row, none))
			continue
		}
		day, _, _ := strings.Cut(s.Finished, "T")
		row := []string{fmt.Sprintf("[%s](%s%s.md)", s.Title, folder, columns[i].Key), s.GoVersion, s.Kernel, s.Machine, day}
		rows = append(rows, append(row, tally(s)...))
	}
	return table(header, rows)
}

// tally counts a column's verdicts over all statements there are now.
func tally(s Summary) []string {
	counts := map[string]int{}
	for _, st := range contract.Statements() {
		text, _ := wordsOf(s.Verdicts[st.ID])
		counts[text]++
	}
	var cells []string
	for _, w := range words {
		cells = append(cells, strconv.Itoa(counts[w.words]))
	}
	return cells
}

// differences lists the statements with different verdicts in different columns. An undecided
// verdict is no difference.
func differences(summaries []Summary) string {
	var b strings.Builder
	for _, st := range contract.Statements() {
		where := map[string][]string{}
		for _, s := range summaries {
			if v := s.Verdicts[st.ID]; decided(v) {
				where[v] = append(where[v], s.Title)
			}
		}
		if len(where) < 2 {
			continue
		}
		var parts []string
		for _, w := range words {
			if titles := where[w.verdict]; len(titles) > 0 {
				parts = append(parts, w.words+" on "+strings.Join(titles, ", "))
			}
		}
		fmt.Fprintf(&b, "- %s: %s\n", st.ID, strings.Join(parts, "; "))
	}
	return b.String()
}

func decided(verdict string) bool {
	return verdict != "" && verdict != NotRun && verdict != contract.NotTestable && contract.Conclusive(verdict)
}

// table formats a Markdown table of text.
func table(header []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(header)
	b.WriteString("|" + strings.Repeat("---|", len(header)) + "\n")
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

var escapes = strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;")

// cell escapes text for a cell: it neither ends the cell nor reads as HTML.
func cell(text string) string { return escapes.Replace(text) }

func anchor(id string) string { return strings.ToLower(id) }
