package results

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func row(id, verdict string, experiments ...string) report.StatementVerdict {
	r := report.StatementVerdict{
		ID: id, Verdict: verdict, Got: "4 of 5", Want: "5 of 5", N: 5, Why: "a|b <c>", Warnings: []string{"noisy"},
	}
	for _, s := range contract.Statements() {
		if s.ID == id {
			r.Section = s.Section
		}
	}
	for _, name := range experiments {
		x := report.Experiment{Name: name, Counts: map[string]int64{"tries": 5}}
		r.Evidence.Experiments = append(r.Evidence.Experiments, x)
	}
	return r
}

func run(kernel string, rows ...report.StatementVerdict) *Verdicts {
	return &Verdicts{
		Schema: report.VerdictsSchemaID, Pinwatch: report.Pinwatch{Version: "v1"},
		Host: report.Host{Kernel: &kernel, Virtualization: "kvm"}, GoVersion: "go1.26.8",
		Finished: "2026-11-28T12:00:00Z", Verdicts: rows,
	}
}

// A statement is "not run" only when an interrupted run did not reach it. One with too few data is
// inconclusive.
func TestNotRun(t *testing.T) {
	v := run("6.1", row("G-2", contract.Inconclusive), row("G-1", contract.Inconclusive, "migrate"),
		row("G-3", contract.Holds, "nest"))
	for _, tt := range []struct {
		interrupted bool
		want        string
	}{{true, NotRun + " inconclusive holds"}, {false, "inconclusive inconclusive holds"}} {
		v.Interrupted = tt.interrupted
		s := Summarize("x", v)
		if got := strings.Join([]string{s.Verdicts["G-2"], s.Verdicts["G-1"], s.Verdicts["G-3"]}, " "); got != tt.want {
			t.Errorf("interrupted %v: %s, want %s", tt.interrupted, got, tt.want)
		}
	}
}

func TestDecode(t *testing.T) {
	v, err := Decode([]byte(`{"schema": "pinwatch.verdicts/v1", "go_version": "go1.26.8"}`))
	if err != nil || v.GoVersion != "go1.26.8" {
		t.Errorf("got %v, %v", v, err)
	}
	for _, bad := range []string{"", "{", `{"schema": "pinwatch.verdicts/v2"}`} {
		if _, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestJoin(t *testing.T) {
	first := run("6.1", row("M-1", contract.Refuted), row("P-8", contract.Holds))
	second := run("6.1", row("G-1", contract.Holds))
	first.Interrupted = true
	v := Join([]*Verdicts{first, second})
	var ids []string
	for _, r := range v.Verdicts {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, " "); got != "G-1 P-8 M-1" || !v.Interrupted {
		t.Errorf("%s, interrupted %v", got, v.Interrupted)
	}
	if len(second.Verdicts) != 1 {
		t.Error("a part has been changed")
	}
}

// useEmptyTree runs the test in an empty tree with the document.
func useEmptyTree(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("docs", 0o755); err != nil {
		t.Fatal(err)
	}
	text := "by hand\n<!-- results:go:begin -->\n<!-- results:go:end -->\n"
	if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestKeepAndShow(t *testing.T) {
	useEmptyTree(t)
	if err := CanKeep("kernels"); err == nil {
		t.Error("a block that is not there is taken")
	}
	if err := CanKeep("go"); err != nil {
		t.Fatal(err)
	}
	old, recent := Column{"go1.14", "Go 1.14.1"}, Column{"go1.26", "Go 1.26.8"}
	never := Column{"go1.27", "Go 1.27.0"}
	for _, c := range []struct {
		Column
		verdict string
	}{{old, contract.Refuted}, {recent, contract.Holds}} {
		if err := Keep(c.Column, c.Title, "verify", run("6.18.1", row("G-1", c.verdict, "migrate"))); err != nil {
			t.Fatal(err)
		}
	}
	old.Title = "Go 1.14.15" // it has no run: the table shows the older release's
	if err := Show("go", []Column{old, recent, never}); err != nil {
		t.Fatal(err)
	}
	text := read(t, document)
	for _, want := range []string{
		"by hand\n",
		"|  | claim | Go 1.14.1 | Go 1.26.8 | Go 1.27.0 |",
		" | [**refuted**](results/go1.14.md#g-1) | [holds](results/go1.26.md#g-1) | not run |",
		"- G-1: holds on Go 1.26.8; refuted on Go 1.14.1\n",
		"| [Go 1.26.8](results/go1.26.md) | go1.26.8 | 6.18.1 | kvm | 2026-11-28 | 1 | 0 |",
		"| Go 1.27.0 |  |  |  | not run |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, s := range contract.Statements() {
		if !strings.Contains(text, "| "+s.ID+" | ") {
			t.Errorf("%s is missing", s.ID)
		}
	}
	evidence := read(t, "docs/results/go1.14.md")
	want := "| <a id=\"g-1\"></a>G-1 | **refuted** | 5 | 4 of 5 | 5 of 5 | a\\|b &lt;c&gt;; warning: noisy |" +
		" `migrate`; tries 5 |"
	if !strings.Contains(evidence, want) {
		t.Errorf("no %q in\n%s", want, evidence)
	}
}

// A summary that cannot be read is an error, not a column without a run.
func TestShowUnreadable(t *testing.T) {
	useEmptyTree(t)
	c := Column{"go1.14", "Go 1.14.15"}
	if err := Keep(c, c.Title, "verify", run("6.18.1")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("docs/results/go1.14.json", []byte("<<<<<<<"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := read(t, document)
	if err := Show("go", []Column{c}); err == nil || read(t, document) != before {
		t.Errorf("%v, and the document is\n%s", err, read(t, document))
	}
}

// An undecided verdict is no difference.
func TestDifferences(t *testing.T) {
	a := Summary{Title: "a", Verdicts: map[string]string{
		"G-1": contract.Holds, "G-2": contract.Holds, "G-3": contract.Holds,
	}}
	b := Summary{Title: "b", Verdicts: map[string]string{
		"G-1": contract.Inconclusive, "G-2": contract.NotTestable, "G-3": contract.HoldsExcept,
	}}
	if got, want := differences([]Summary{a, b, {Title: "c"}}), "- G-3: holds on a; holds except on b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOverview(t *testing.T) {
	text := Overview([]Summary{Summarize("a", run("6.1", row("G-2", contract.Holds)))})
	if strings.Contains(text, "G-1") || !strings.Contains(text, "G-2        holds\n") {
		t.Errorf("got\n%s", text)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The committed baseline has a verdict on every statement, and on no other.
func TestCommittedBaseline(t *testing.T) {
	text, err := os.ReadFile("../../docs/results/baseline.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := report.ReadBaseline(text)
	if err != nil {
		t.Fatal(err)
	}
	known := []string{
		contract.Holds, contract.HoldsExcept, contract.Witnessed, contract.NotWitnessed, contract.Refuted,
		contract.OutOfRange, contract.Borderline, contract.Inconclusive, contract.NotTestable,
	}
	for _, s := range contract.Statements() {
		if !slices.Contains(known, b.Verdicts[s.ID]) {
			t.Errorf("%s: %q is no verdict", s.ID, b.Verdicts[s.ID])
		}
		delete(b.Verdicts, s.ID)
	}
	for id := range b.Verdicts {
		t.Errorf("there is no statement %s", id)
	}
}

// The committed tables are what Show makes of the committed summaries, with the claims of today. With
// -update they are written again.
func TestCommittedTables(t *testing.T) {
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.CopyFS("docs", os.DirFS(filepath.Join(top, "docs"))); err != nil {
		t.Fatal(err)
	}
	for block, prefix := range map[string]string{"go": "go", "kernels": "linux-"} {
		files, err := filepath.Glob(filepath.Join(folder, prefix+"*.json"))
		if err != nil {
			t.Fatal(err)
		}
		var columns []Column
		for _, file := range files {
			columns = append(columns, Column{Key: strings.TrimSuffix(filepath.Base(file), ".json")})
		}
		if err := Show(block, columns); err != nil {
			t.Fatal(err)
		}
		if block == "go" {
			if err := ShowFolklore(columns); err != nil {
				t.Fatal(err)
			}
		}
	}
	testenv.Golden(t, filepath.Join(top, document), []byte(read(t, document)))
	testenv.Golden(t, filepath.Join(top, folkloreDocument), []byte(read(t, folkloreDocument)))
}
