package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"github.com/pinwatch/pinwatch/vet"
)

func vetCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "vet",
		Usage:     "find mistakes in Go source that pins threads",
		Category:  "source",
		ArgsUsage: "[packages]",
		Description: `It checks packages, named as for the go command (. if none), by the checklists of the LockOSThread
specification, as far as source shows that. It needs the go command and no privileges. It respects GOOS,
GOARCH and GOFLAGS.

` + listChecks() + `
A comment states the intent: why the lock is needed, which function unlocks, or that the thread is to end
with its goroutine. In tests, only mistakes that make them fail are reported; in generated files, none. A
comment silences its line, the next line or, in the doc of a function, all of the function:

  //pinwatch:ignore the thread's state can't be restored

Mistakes come first, then matters of style, then a line per package about its locks without a comment.
pinwatch explain CHECK shows what happens, with an example before and after.

Examples:
  pinwatch vet ./...
  pinwatch vet --comments ./...                  list each lock without a comment
  pinwatch explain cleanup
  pinwatch vet --fix ./...                       defer missing unlocks where that is safe, report the rest
  pinwatch vet --skip comment,defer ./...
  pinwatch vet -o json ./... | jq '.diagnostics[] | select(.check == "unlocked")'
  GOOS=windows pinwatch vet ./...
  go vet -vettool=$(which pinwatch) ./...        the same checks, cached by the go command

For golangci-lint, import github.com/pinwatch/pinwatch/vet/golangci as a module plugin; other drivers, vet.Analyzer.

Exit codes: 0 nothing reported, 1 error (also when some packages could not be loaded), 2 usage, 3 something reported.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Usage: "`FORMAT`: text or json", Value: "text"},
			&cli.BoolFlag{Name: "fix", Usage: "apply the suggested fixes, then report what is left"},
			&cli.BoolFlag{Name: "comments", Usage: "list each lock without a comment, instead of a line per package"},
			&cli.StringFlag{Name: "skip", Usage: "leave out these `CHECKS`, separated by commas"},
			&cli.BoolFlag{Name: "tests", Usage: "read test files too", Value: true},
			&cli.StringFlag{Name: "tags", Usage: "build `TAGS`, as the go command takes them"},
		},
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			o, err := parseVetOptions(c)
			if err != nil {
				return err
			}
			return o.run(c.Context, s)
		},
	}
}

func listChecks() string {
	var b strings.Builder
	for _, c := range vet.Checks {
		fmt.Fprintf(&b, "  %-10s %-8s %s\n", c.Name, c.Statement, c.Summary)
	}
	return b.String()
}

type vetOptions struct {
	analyzer *analysis.Analyzer
	patterns []string
	format   string // text or json
	fix      bool
	comments bool
	tests    bool
	tags     string
}

func parseVetOptions(c *cli.Context) (o vetOptions, err error) {
	o = vetOptions{
		analyzer: vet.New(), patterns: c.Args().Slice(), format: c.String("output"),
		fix: c.Bool("fix"), comments: c.Bool("comments"), tests: c.Bool("tests"), tags: c.String("tags"),
	}
	if o.format != "text" && o.format != "json" {
		return o, usagef("-o %s: no such format; it is text or json", o.format)
	}
	if len(o.patterns) == 0 {
		o.patterns = []string{"."}
	}
	for _, pattern := range o.patterns {
		if strings.HasPrefix(pattern, "-") {
			return o, usagef("vet: flags come before the packages: %s", pattern)
		}
	}
	if c.IsSet("skip") {
		if err := o.analyzer.Flags.Set("skip", c.String("skip")); err != nil {
			return o, usagef("--skip: %w", err)
		}
	}
	return o, nil
}

func (o *vetOptions) run(ctx context.Context, s streams) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("vet: no go command on the PATH: packages are loaded by it")
	}
	found, err := o.analyze(ctx, s)
	if err != nil {
		return err
	}
	if o.fix {
		fixed, err := found.fix()
		if err != nil {
			return err
		}
		if fixed > 0 { // lines have moved
			if found, err = o.analyze(ctx, s); err != nil {
				return err
			}
		}
		found.Fixed = fixed
	}
	if err := explainWrite(found.write(s, o.format, o.comments)); err != nil {
		return err
	}
	switch {
	case len(found.Errors) > 0:
		return fmt.Errorf("vet: %s%s", found.Errors[0], andMore(len(found.Errors)-1))
	case len(found.Diagnostics) > 0:
		return status(exitContract)
	}
	return nil
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more errors)", n)
}

// analyze loads the packages and runs the analyzer on those that load without an error.
func (o *vetOptions) analyze(ctx context.Context, s streams) (*vetFindings, error) {
	progress := newLoading(terminal(s.err), 200*time.Millisecond)
	conf := &packages.Config{
		Context: ctx, Mode: packages.LoadSyntax | packages.NeedModule | packages.NeedForTest, Tests: o.tests,
		ParseFile: func(fset *token.FileSet, name string, text []byte) (*ast.File, error) {
			progress.files.Add(1)
			return parser.ParseFile(fset, name, text, parser.AllErrors|parser.ParseComments)
		},
	}
	if o.tags != "" {
		conf.BuildFlags = []string{"-tags=" + o.tags}
	}
	loaded, err := packages.Load(conf, o.patterns...)
	progress.done()
	if ctx.Err() != nil {
		return nil, errors.New("vet: interrupted")
	}
	if err != nil {
		return nil, fmt.Errorf("vet: load packages: %w", err)
	}
	if len(loaded) == 0 {
		return nil, fmt.Errorf("vet: no packages match %s: it has to run in the directory of a module",
			strings.Join(o.patterns, " "))
	}
	found := newVetFindings()
	var whole []*packages.Package
	for _, p := range loaded {
		checked := len(p.Errors) == 0 && !p.IllTyped
		found.addErrors(p)
		found.count(p, checked)
		if checked {
			whole = append(whole, p)
		}
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{o.analyzer}, whole, nil)
	if err != nil {
		return nil, fmt.Errorf("vet: %w", err)
	}
	for _, act := range graph.Roots {
		if act.Err != nil {
			return nil, fmt.Errorf("vet: %s: %w", act.Package.PkgPath, act.Err)
		}
		found.add(act)
	}
	found.sort()
	return found, nil
}
