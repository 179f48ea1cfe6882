package vet_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/pinwatch/pinwatch/vet"
)

// needGo ends a test without the go command, which loads packages of source.
func needGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Fatalf("needs the go command: %v", err)
	}
}

// named makes an analyzer put the name of its check before each message, for the expectations in
// testdata.
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

// TestDiagnostics runs on every package of testdata except the stand-ins for other modules. Each
// package has code that must be reported and code that must not. A comment on the line of a lock
// explains the lock. Where it must not, the expectation follows a directive.
func TestDiagnostics(t *testing.T) {
	needGo(t)
	results := analysistest.Run(t, analysistest.TestData(), named(vet.New()),
		"caller", "cleanup", "closure", "comment", "deferred", "dotted", "elsewhere", "exported", "generated", "goroutine",
		"handler", "ignore", "intest", "kept", "loop", "mainlock", "names", "nested", "original", "paths",
		"pdeathsig", "setup", "unbalanced",
		"unlock", "unlocked")
	seen := map[string]bool{}
	for _, r := range results {
		for _, d := range r.Diagnostics {
			seen[d.Category] = true
		}
	}
	for _, name := range vet.CheckNames() {
		if !seen[name] {
			t.Errorf("testdata has no report of the check %q", name)
		}
	}
}

func TestFixes(t *testing.T) {
	needGo(t)
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), named(vet.New()), "unlock")
}

func TestSkip(t *testing.T) {
	needGo(t)
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

// silent ignores the errors that analysistest reports for unmet expectations.
type silent struct{ *testing.T }

func (silent) Errorf(string, ...any) {}

// TestChecks: names are unique, and pinwatch explain takes the statements.
func TestChecks(t *testing.T) {
	if names := vet.CheckNames(); len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("two checks have the same name: %v", names)
	}
	for _, c := range vet.Checks {
		if !strings.Contains("CRGE", c.Statement[:1]) || c.Statement[1] != '-' {
			t.Errorf("%s: %q is not a statement", c.Name, c.Statement)
		}
		if !strings.Contains(vet.Analyzer.Doc, c.Name) {
			t.Errorf("%s is missing in the doc", c.Name)
		}
	}
}

// TestDependencies: linters import vet and vet/golangci, so these must not bring in what the rest
// of pinwatch needs. go mod tidy in the linter's module also follows the imports of their tests.
func TestDependencies(t *testing.T) {
	needGo(t)
	cmd := exec.Command("go", "list", "-deps", "-test", "-f", "{{with .Module}}{{.Path}} {{$.ImportPath}}{{end}}", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		module, pkg, _ := strings.Cut(strings.TrimSpace(line), " ")
		seen[module] = true
		switch module {
		case "github.com/pinwatch/pinwatch":
			if !strings.HasPrefix(pkg, "github.com/pinwatch/pinwatch/vet") {
				t.Errorf("vet depends on %s", pkg)
			}
		case "golang.org/x/tools", "golang.org/x/mod", "golang.org/x/sync", "github.com/golangci/plugin-module-register":
		default:
			t.Errorf("vet depends on %s of module %s", pkg, module)
		}
	}
	if !seen["golang.org/x/tools"] {
		t.Errorf("go list found no dependency in %q", out)
	}
}
