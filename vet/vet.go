// Package vet holds Analyzer, which reads Go source for what a program that pins goroutines to threads gets wrong: locks that nobody
// explains or releases, state of a thread that is set up on another one, pins that every request pays for. It is the part of the
// specification's checklists that a look at the source can decide; what a pin costs, only a running program can tell.
//
// The package stands outside internal because linters import analyzers: golangci-lint's plugins, and drivers of one's own.
// Analyzer needs types, no facts and no other analyzer, so the packages that the code imports need not be read.
package vet

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer reports a Check's name as the category of each diagnostic.
var Analyzer = New()

// New makes an analyzer with flags of its own. Analyzer is one.
func New() *analysis.Analyzer {
	var skip names
	a := &analysis.Analyzer{
		Name: "lockosthread",
		Doc:  doc(),
		URL:  "https://github.com/pinwatch/pinwatch#pinwatch-vet",
		Run: func(pass *analysis.Pass) (any, error) {
			return nil, check(pass, skip)
		},
	}
	a.Flags.Var(&skip, "skip", "comma-separated names of `checks` to leave out")
	return a
}

func doc() string {
	var b strings.Builder
	b.WriteString("check how runtime.LockOSThread is used\n\nThe checks:\n\n")
	for _, c := range Checks {
		fmt.Fprintf(&b, "\t%-10s %s (%s)\n", c.Name, c.Summary, c.Statement)
	}
	b.WriteString("\nA comment //pinwatch:ignore REASON, on the line or above it or in a function's doc, silences them.")
	return b.String()
}

// names is a flag: a set of checks.
type names []string

func (n *names) String() string { return strings.Join(*n, ",") }

func (n *names) Set(value string) error {
	for _, name := range strings.Split(value, ",") {
		if _, ok := checkNamed(name); !ok {
			return fmt.Errorf("no check %q; there are %s", name, strings.Join(CheckNames(), ", "))
		}
		*n = append(*n, name)
	}
	return nil
}
