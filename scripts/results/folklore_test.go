package results

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// wrongOf corrects every statement that has a correction for one of the verdicts.
func wrongOf(verdicts ...string) (list []Wrong) {
	for _, s := range contract.Statements() {
		for _, v := range verdicts {
			if text := (contract.Outcome{Statement: s, Verdict: v}).Corrected("11 µs–31 µs"); text != "" {
				list = append(list, Wrong{ID: s.ID, Verdict: v, Got: "median 11.8 µs (11 µs–31 µs), n = 1,234 of 6 processes",
					Effect: "10–20 times the upper end of the range", Corrected: text})
				break
			}
		}
	}
	return list
}

// The page fits on two screens, even where everything that can be wrong is.
func TestFolkloreIsShort(t *testing.T) {
	s := Summary{GoVersion: "go1.27.0", Kernel: "6.18.44", Machine: "kvm", Finished: "2026-11-28T12:00:00Z",
		Pinwatch: "v1"}
	s.Wrong = wrongOf(contract.Refuted, contract.OutOfRange, contract.HoldsExcept)
	text := folklore(s, "results/go1.27.md")
	links := strings.NewReplacer("](results/go1.27.md", "") // a reader does not see them
	if n := strings.Count(text, "\n"); n > 90 || n < 30 {
		t.Errorf("%d lines: want at most two screens of 45", n)
	}
	for line := range strings.Lines(links.Replace(text)) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > lineWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"- [P-7](results/go1.27.md#p-7): “", "## Not true", "## True, but for an exception",
		"The runtime never calls QueueUserAPC", "10–20 times", "go1.27.0"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// Statements about one fact are one entry.
func TestFacts(t *testing.T) {
	var got []string
	for _, g := range facts(wrongOf(contract.HoldsExcept)) {
		var ids []string
		for _, w := range g {
			ids = append(ids, w.ID)
		}
		got = append(got, strings.Join(ids, "+"))
	}
	for _, want := range []string{"G-2+E-7+V-1.22", "G-4+E-4", "G-7+P-10", "G-9"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q lacks %s", got, want)
		}
	}
}

// Columns of different builds, or of one that is no commit, are not kept silently.
func TestSameVersion(t *testing.T) {
	useEmptyTree(t)
	keep := func(key, version string) {
		v := run("6.18.1", row("G-1", contract.Holds, "migrate"))
		v.Pinwatch.Version = version
		if err := Keep(Column{Key: key}, key, "verify", v); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string) {
		t.Helper()
		columns, err := Columns("go")
		if err != nil {
			t.Fatal(err)
		}
		err = SameVersion(append(columns, Column{Key: "go9.9", Title: "without a run"}))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	keep("go1.14", "1a2b3c4")
	keep("go1.9", "1a2b3c4")
	check("")
	columns, _ := Columns("go")
	if len(columns) != 2 || columns[0].Key != "go1.9" {
		t.Errorf("columns %v: want them by number", columns)
	}
	keep("go1.9", "7f7f7f7")
	check("by 1a2b3c4")
	keep("go1.9", "1a2b3c4-dirty")
	check("no commit")
	if err := os.WriteFile("docs/results/go1.9.json", []byte("<<<"), 0o644); err != nil {
		t.Fatal(err)
	}
	columns, _ = Columns("go")
	if SameVersion(columns) == nil {
		t.Error("a summary that cannot be read is taken")
	}
}

// The page is about the newest release with a run.
func TestShowFolklore(t *testing.T) {
	useEmptyTree(t)
	text := "by hand\n<!-- folklore:begin -->\n<!-- folklore:end -->\n"
	if err := os.WriteFile(folkloreDocument, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	columns := []Column{{Key: "go1.14"}, {Key: "go1.26"}, {Key: "go1.27"}}
	if err := ShowFolklore(columns); err != nil || !strings.Contains(read(t, folkloreDocument), "No release") {
		t.Errorf("%v: %s", err, read(t, folkloreDocument))
	}
	corrected, original := "No release has it.", "runtime/metrics <metric>"
	wrong := row("M-1", contract.Refuted, "names")
	wrong.Corrected, wrong.Evidence.Original = &corrected, &original
	for _, key := range []string{"go1.14", "go1.26"} {
		if err := Keep(Column{Key: key}, key, "verify", run("6.18.1", wrong)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ShowFolklore(columns); err != nil {
		t.Fatal(err)
	}
	page := read(t, folkloreDocument)
	if !strings.Contains(page, "by hand") || !strings.Contains(page, "[M-1](results/go1.26.md#m-1)") ||
		!strings.Contains(page, "**No release has it.**") {
		t.Errorf("got %s", page)
	}
	evidence := read(t, "docs/results/go1.26.md")
	if !strings.Contains(evidence, "“runtime/metrics &lt;metric&gt;”") || !strings.Contains(evidence,
		"*true* No release has it.") {
		t.Errorf("the evidence is not cited: %s", evidence)
	}
}
