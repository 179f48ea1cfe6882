package results

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// folkloreDocument lists what is not true as the specification has it. Its text between the markers
// is generated from the summary of the newest release.
const (
	folkloreDocument = "docs/folklore.md"
	folkloreBlock    = "folklore"
	lineWidth        = 100
)

// Wrong is a statement that is not true as it stands.
type Wrong struct {
	ID        string `json:"id"`
	Verdict   string `json:"verdict"`
	Got       string `json:"got"`
	Effect    string `json:"effect,omitempty"`
	Corrected string `json:"corrected"`
}

// wrongs lists the statements with a correction.
func wrongs(v *Verdicts) (list []Wrong) {
	for i := range v.Verdicts {
		row := &v.Verdicts[i]
		if row.Corrected == nil || v.NotDone(row) || !contract.Conclusive(row.Verdict) {
			continue
		}
		w := Wrong{ID: row.ID, Verdict: row.Verdict, Got: row.Got, Corrected: *row.Corrected}
		if row.Effect != nil {
			w.Effect = *row.Effect
		}
		list = append(list, w)
	}
	return list
}

// cites reports whether a statement names another as one about the same fact.
func cites(a, b string) bool {
	s, _ := contract.Find(a)
	return slices.Contains(s.Citation().See, b)
}

// facts groups the statements about one fact: those that cite each other. Each group has the
// specification's order.
func facts(list []Wrong) (groups [][]Wrong) {
	for _, w := range list {
		i := slices.IndexFunc(groups, func(g []Wrong) bool {
			return slices.ContainsFunc(g, func(o Wrong) bool { return cites(w.ID, o.ID) || cites(o.ID, w.ID) })
		})
		if i < 0 {
			groups = append(groups, []Wrong{w})
			continue
		}
		groups[i] = append(groups[i], w)
	}
	return groups
}

// ShowFolklore writes the document's generated part from the newest column that has a run.
func ShowFolklore(columns []Column) error {
	for _, c := range slices.Backward(columns) {
		s, err := Kept(c)
		if err != nil {
			return err
		}
		if s.Finished != "" {
			return measure.Replace(folkloreDocument, folkloreBlock, folklore(s, "results/"+c.Key+".md"))
		}
	}
	return measure.Replace(folkloreDocument, folkloreBlock, "No release has been measured yet.\n")
}

// folkloreParts are the parts of the document: a group of statements is in the first that has one of
// its verdicts.
var folkloreParts = []struct{ verdict, title string }{
	{contract.Refuted, "Not true"},
	{contract.OutOfRange, "Not so on the machine that was measured"},
	{contract.HoldsExcept, "True, with an exception"},
}

// folklore formats a summary's statements that are not true as they stand. page has the evidence.
func folklore(s Summary, page string) string {
	var b strings.Builder
	day, _, _ := strings.Cut(s.Finished, "T")
	item(&b, fmt.Sprintf("Tested on %s with programs built by %s, on Linux %s (%s), by pinwatch %s.", day, s.GoVersion,
		s.Kernel, s.Machine, s.Pinwatch), "", "")
	groups := facts(s.Wrong)
	for _, part := range folkloreParts {
		has := func(g []Wrong) bool {
			return slices.ContainsFunc(g, func(w Wrong) bool { return w.Verdict == part.verdict })
		}
		title := "\n## " + part.title + "\n\n"
		for _, g := range groups {
			if has(g) {
				b.WriteString(title)
				title = ""
				entry(&b, g, part.verdict, page)
			}
		}
		groups = slices.DeleteFunc(groups, has)
	}
	return b.String()
}

// entry writes what is written, in the first lines, and in those below what is true and was measured.
func entry(b *strings.Builder, g []Wrong, verdict, page string) {
	w := head(g, verdict)
	st, _ := contract.Find(w.ID)
	quoted := "“" + text(st.Citation().Spec) + "”"
	if st.Citation().Spec == "" {
		quoted = capital(text(st.Claim)) + "." // of a statement beyond the specification
	}
	item(b, quoted+`\`, "- ", "  ")
	item(b, fmt.Sprintf("**%s** %s (%s)", text(w.Corrected), measured(st, w), links(g, page)), "  ", "  ")
}

// measured is a sentence on what the correction rests on: the first of what was observed, and how
// large the effect is where it is not a share of the tries, which the former has.
func measured(st contract.Statement, w Wrong) string {
	if st.Read {
		return "Read in the runtime's source."
	}
	got, _, _ := strings.Cut(w.Got, "; ") // the rest is in the evidence
	if w.Effect != "" && !strings.HasSuffix(w.Effect, contract.OfTheTries) {
		got += "; " + w.Effect
	}
	return "Measured: " + text(got) + "."
}

// head is the statement of a group that the others cite most, of those with the verdict.
func head(g []Wrong, verdict string) (best Wrong) {
	most := -1
	for _, w := range g {
		n := 0
		for _, other := range g {
			if cites(other.ID, w.ID) {
				n++
			}
		}
		if w.Verdict == verdict && n > most {
			best, most = w, n
		}
	}
	return best
}

// text escapes text for a paragraph: none of it reads as HTML.
func text(s string) string { return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(s) }

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// links are the ids of a group, each a link to its evidence.
func links(g []Wrong, page string) string {
	var ids []string
	for _, w := range g {
		ids = append(ids, fmt.Sprintf("[%s](%s#%s)", w.ID, page, anchor(w.ID)))
	}
	return strings.Join(ids, ", ")
}

// item writes a paragraph with wrapped lines, the first after one indent and the others after
// another.
func item(b *strings.Builder, text, first, others string) {
	line := first
	width := utf8.RuneCountInString(first)
	begun := false
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if begun && width+1+n > lineWidth {
			b.WriteString(line + "\n")
			line, width, begun = others, utf8.RuneCountInString(others), false
		}
		if begun {
			line, width = line+" ", width+1
		}
		line, width, begun = line+word, width+n, true
	}
	b.WriteString(line + "\n")
}

// SameVersion is an error when columns with a run were made by different builds, or by one that is
// no commit.
func SameVersion(columns []Column) error {
	var first Summary
	for _, c := range columns {
		s, err := Kept(c)
		switch {
		case err != nil:
			return err
		case s.Finished == "":
			continue
		case strings.Contains(s.Pinwatch, "dirty"), s.Pinwatch == "devel":
			return fmt.Errorf("%s was made by pinwatch %s, which is no commit", s.Title, s.Pinwatch)
		case first.Finished == "":
			first = s
		case s.Pinwatch != first.Pinwatch:
			return fmt.Errorf("%s was made by pinwatch %s, %s by %s", first.Title, first.Pinwatch, s.Title, s.Pinwatch)
		}
	}
	return nil
}

// madeBy is a sentence about the builds that made the columns.
func madeBy(summaries []Summary) string {
	var versions []string
	for _, s := range summaries {
		if s.Finished != "" && !slices.Contains(versions, s.Pinwatch) {
			versions = append(versions, s.Pinwatch)
		}
	}
	switch len(versions) {
	case 0:
		return ""
	case 1:
		return "All columns were made by pinwatch " + versions[0] + ".\n\n"
	}
	return "The columns were made by different builds of pinwatch: " + strings.Join(versions, ", ") + ".\n\n"
}

// Columns lists the columns with files of a prefix, in the order of their names' numbers.
func Columns(prefix string) (columns []Column, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if key, ok := strings.CutSuffix(e.Name(), ".json"); ok && strings.HasPrefix(key, prefix) {
			columns = append(columns, Column{Key: key})
		}
	}
	slices.SortFunc(columns, func(a, b Column) int { return compareNumbers(a.Key, b.Key) })
	return columns, nil
}

// compareNumbers orders names by the numbers in them: linux-5.10 before linux-6.1.
func compareNumbers(a, b string) int {
	numbers := func(s string) (ns []int) {
		for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
			n := 0
			for _, d := range part {
				n = 10*n + int(d-'0')
			}
			ns = append(ns, n)
		}
		return ns
	}
	if c := slices.Compare(numbers(a), numbers(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}
