// Package vet holds Analyzer, which checks Go source for misuse of runtime.LockOSThread: locks
// without a reason or a release, thread state that is set on another thread, handlers that pin a
// thread for every request. It decides the part of the specification's checklists that needs only
// the source. The cost of a pin has to be measured in the running program.
//
// The package is outside internal because linters import analyzers: plugins of golangci-lint, and
// other drivers. It imports golang.org/x/tools alone. Analyzer needs types but no facts and no
// other analyzer, so drivers need not read the source of imported packages.
package vet

import (
	"fmt"
	"go/token"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer is the analyzer with all checks. The category of a diagnostic is the name of its Check.
var Analyzer = New()

// New returns an analyzer like Analyzer, with separate flags.
func New() *analysis.Analyzer {
	var skip names
	a := &analysis.Analyzer{
		Name: "lockosthread",
		Doc:  doc(),
		URL:  "https://github.com/pinwatch/pinwatch/blob/main/docs/vet.md",
		Run: func(pass *analysis.Pass) (any, error) {
			return check(pass, skip), nil
		},
		ResultType: reflect.TypeFor[*Result](),
	}
	a.Flags.Var(&skip, "skip", "comma-separated names of `checks` to skip")
	return a
}

// Result is what the analyzer has seen in a package.
type Result struct {
	Locks []token.Pos // the calls of LockOSThread
}

func doc() string {
	var b strings.Builder
	b.WriteString("check how runtime.LockOSThread is used\n\nThe checks:\n\n")
	for _, c := range Checks {
		fmt.Fprintf(&b, "\t%-10s %s (%s)\n", c.Name, c.Summary, c.Statement)
	}
	b.WriteString("\nA comment //pinwatch:ignore REASON on the line, above it, or in the function's doc suppresses them.")
	return b.String()
}

// names is a flag that holds names of checks.
type names []string

func (n *names) String() string { return strings.Join(*n, ",") }

func (n *names) Set(value string) error {
	for _, name := range strings.Split(value, ",") {
		if _, ok := checkNamed(name); !ok {
			return fmt.Errorf("no check %q; the checks are %s", name, strings.Join(CheckNames(), ", "))
		}
		*n = append(*n, name)
	}
	return nil
}
