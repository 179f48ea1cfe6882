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
				w := Wrong{ID: s.ID, Verdict: v, Got: "median 11.8 µs (11 µs–31 µs), n = 1,234 of 6 processes", Corrected: text}
				if v == contract.OutOfRange {
					w.Effect = "10–20 times the upper end of the range"
				}
				list = append(list, w)
				break
			}
		}
	}
	return list
}

// The page fits on two screens, even where everything that can be wrong is. Each entry quotes the
// claim, and has what is true instead and how large the effect is.
func TestFolkloreIsShort(t *testing.T) {
	s := Summary{GoVersion: "go1.27.0", Kernel: "6.18.44", Machine: "kvm", Finished: "2026-11-28T12:00:00Z",
		Pinwatch: "v1"}
	s.Wrong = wrongOf(contract.Refuted, contract.OutOfRange, contract.HoldsExcept)
	page := folklore(s, "results/go1.27.md")
	if n := strings.Count(page, "\n"); n > 90 || n < 30 {
		t.Errorf("%d lines: want at most two screens of 45, with the text before them", n)
	}
	for line := range strings.Lines(target.ReplaceAllString(page, "]")) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > lineWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	words := strings.Join(strings.Fields(page), " ")
	for _, want := range []string{
		"## Not true - “", "calling short C functions.”\\ **A lock does not change the speed of C calls",
		"n = 1,234 of 6 processes. ([P-7](results/go1.27.md#p-7))",
		"n = 1,234 of 6 processes; 10–20 times the upper end of the range. ([P-8](results/go1.27.md#p-8))",
		"QueueUserAPC is never called.** Read in the runtime's source. ([O-windows](",
		"## Not so on the machine that was measured - “Preempting a locked G",
		"**On this machine the system call takes 11 µs–31 µs.**",
		"## True, with an exception - “An M holding a locked G runs only that G",
		"“The per-call overhead of LockOSThread itself is &lt; 100 ns",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if n := strings.Count(page, "“"); n != strings.Count(page, "- “") || n != len(facts(s.Wrong)) {
		t.Errorf("%d quotations in %d entries: want one each", n, len(facts(s.Wrong)))
	}
}

// A share of the tries is no size of an effect, and a statement beyond the specification has no
// quotation.
func TestFolkloreEntry(t *testing.T) {
	s := Summary{Wrong: []Wrong{
		{ID: "X-4", Verdict: contract.Refuted, Got: "followed by 1 of 2; more", Effect: "50.0 % of the tries",
			Corrected: "No."},
	}}
	page := folklore(s, "p.md")
	want := "- Since Go 1.25 GOMAXPROCS follows the cgroup's CPU quota.\\\n" +
		"  **No.** Measured: followed by 1 of 2. ([X-4](p.md#x-4))\n"
	if !strings.HasSuffix(page, want) {
		t.Errorf("got\n%s\nwant\n%s", page, want)
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
	for _, version := range []string{"1a2b3c4-dirty", "devel"} {
		keep("go1.9", version)
		check(version + ", which is no commit")
	}
	if err := os.WriteFile("docs/results/go1.9.json", []byte("<<<"), 0o644); err != nil {
		t.Fatal(err)
	}
	columns, _ = Columns("go")
	if SameVersion(columns) == nil {
		t.Error("a summary that cannot be read is taken")
	}
}

// A cost of the machine is marked as one host's, in the tables and beside its evidence.
func TestOneHost(t *testing.T) {
	v := run("6.18.1", row("P-5", contract.OutOfRange), row("P-8", contract.Holds), row("P-9", contract.Holds),
		row("P-4", contract.Holds))
	s := Summarize("Go 1.26.8", v)
	tables := Tables([]Column{{Key: "go1.26"}}, []Summary{s}, "results/")
	for id, word := range map[string]string{"P-5": "**out of range**", "P-8": "holds", "P-9": "holds"} {
		if !strings.Contains(page(s, "verify", v), `"></a>`+id+" | "+word+" *(of one host)* |") {
			t.Errorf("%s is not marked in\n%s", id, page(s, "verify", v))
		}
	}
	if n := strings.Count(page(s, "verify", v), "of one host"); n != 3 || strings.Count(tables, "*(of one host)* |") != 3 {
		t.Errorf("%d statements are marked, want 3", n)
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
