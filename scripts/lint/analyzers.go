package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	suite "golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/packages"
	"honnef.co/go/tools/lintcmd"
	"honnef.co/go/tools/simple"
	"honnef.co/go/tools/staticcheck"
	"honnef.co/go/tools/stylecheck"
	"honnef.co/go/tools/unused"

	"github.com/pinwatch/pinwatch/scripts/lint/rules"
)

// checks are all of staticcheck's but the matters of style that it leaves off itself.
const checks = "all,-ST1000,-ST1003,-ST1016,-ST1020,-ST1021,-ST1022"

// analyze runs all analyzers over the packages, each of which is loaded once.
func analyze(packages []string) error {
	cmd := lintcmd.NewCommand("lint")
	cmd.AddAnalyzers(simple.Analyzers...)
	cmd.AddAnalyzers(staticcheck.Analyzers...)
	cmd.AddAnalyzers(stylecheck.Analyzers...)
	cmd.AddAnalyzers(unused.Analyzer)
	for _, a := range slices.Concat(suite.Suite, rules.Analyzers) {
		cmd.AddBareAnalyzers(uncategorized(a))
	}
	cmd.ParseFlags(append([]string{"-checks", checks}, packages...))
	if cmd.Execute() != 0 {
		return errors.New("failed")
	}
	return nil
}

// uncategorized is an analyzer whose diagnostics have no category. lintcmd drops a diagnostic with
// a category that is not the name of an analyzer.
func uncategorized(a *analysis.Analyzer) *analysis.Analyzer {
	plain := *a
	plain.Run = func(pass *analysis.Pass) (any, error) {
		p := *pass
		p.Report = func(d analysis.Diagnostic) {
			d.Category = ""
			pass.Report(d)
		}
		return a.Run(&p)
	}
	return &plain
}

// vetForARM64 runs go vet's analyzers over the packages as they are for arm64. It reads all
// dependencies from source: to compile them for a second architecture would take most of the time
// of make lint.
func vetForARM64(patterns []string) error {
	conf := &packages.Config{
		Mode: packages.LoadAllSyntax, Tests: true, Env: append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0"),
	}
	loaded, err := packages.Load(conf, patterns...)
	if err != nil {
		return fmt.Errorf("load packages: %w", err)
	}
	if n := packages.PrintErrors(loaded); n > 0 {
		return fmt.Errorf("%d errors", n)
	}
	graph, err := checker.Analyze(suite.Suite, loaded, nil)
	if err != nil {
		return err
	}
	failed := false
	for _, action := range graph.Roots {
		if action.Err != nil {
			return fmt.Errorf("%v: %w", action, action.Err)
		}
		failed = failed || len(action.Diagnostics) > 0
	}
	if failed {
		_ = graph.PrintText(os.Stdout, 0)
		return errors.New("failed")
	}
	return nil
}
