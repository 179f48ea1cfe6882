package vet_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/vet"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// named makes an analyzer put each diagnostic's check before its message, so that the expectations in testdata can ask for it.
func named(a *analysis.Analyzer) *analysis.Analyzer {
	inner := a.Run
	a.Run = func(pass *analysis.Pass) (any, error) {
		report := pass.Report
		pass.Report = func(d analysis.Diagnostic) {
			d.Message = d.Category + ": " + d.Message
			report(d)
		}
		return inner(pass)
	}
	return a
}

// Every package of testdata but the stand-ins for other modules; each has what is to be reported beside what is not.
// A comment on a lock's line explains the lock: where it must not, the expectation hides in a directive.
func TestDiagnostics(t *testing.T) {
	testenv.Require(t, testenv.GoCommand)
	results := analysistest.Run(t, analysistest.TestData(), named(vet.New()),
		"caller", "cleanup", "comment", "deferred", "dotted", "elsewhere", "exported", "generated", "goroutine", "handler", "ignore",
		"intest", "loop", "mainlock", "names", "nested", "paths", "setup", "unbalanced", "unlock", "unlocked")
	seen := map[string]bool{}
	for _, r := range results {
		for _, d := range r.Diagnostics {
			seen[d.Category] = true
		}
	}
	for _, name := range vet.CheckNames() {
		if !seen[name] {
			t.Errorf("nothing in testdata makes the check %q report", name)
		}
	}
}

func TestFixes(t *testing.T) {
	testenv.Require(t, testenv.GoCommand)
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), named(vet.New()), "unlock")
}

func TestSkip(t *testing.T) {
	testenv.Require(t, testenv.GoCommand)
	a := vet.New()
	if err := a.Flags.Set("skip", "comment,unlock"); err != nil {
		t.Fatal(err)
	}
	for _, r := range analysistest.Run(silent{t}, analysistest.TestData(), a, "comment", "unlock") {
		for _, d := range r.Diagnostics {
			t.Errorf("%s is reported although it is skipped", d.Category)
		}
	}
	if err := a.Flags.Set("skip", "comment,unluck"); err == nil || !strings.Contains(err.Error(), "unluck") {
		t.Errorf("a check that does not exist: %v", err)
	}
}

// silent keeps analysistest from failing the test over expectations that are not met.
type silent struct{ *testing.T }

func (silent) Errorf(string, ...any) {}

// A check's name is a flag's word and a category; its statement is what pinwatch explain takes.
func TestChecks(t *testing.T) {
	if names := vet.CheckNames(); len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("two checks have one name: %v", names)
	}
	for _, c := range vet.Checks {
		if !strings.Contains("CRGE", c.Statement[:1]) || c.Statement[1] != '-' {
			t.Errorf("%s: %q is no statement", c.Name, c.Statement)
		}
		if !strings.Contains(vet.Analyzer.Doc, c.Name) {
			t.Errorf("%s is not in the doc", c.Name)
		}
	}
}
