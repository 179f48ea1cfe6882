// Package rules holds the import table and the analyzers that make lint runs besides go vet's and
// staticcheck's. It stands apart from scripts/lint so that its tests need not compile staticcheck.
package rules

import (
	"cmp"
	"go/parser"
	"go/types"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gordonklaus/ineffassign/pkg/ineffassign"
	"github.com/kisielk/errcheck/errcheck"
	"golang.org/x/tools/go/analysis"

	"github.com/pinwatch/pinwatch/vet"
)

// Analyzers are those that make lint runs besides go vet's and staticcheck's.
var Analyzers = []*analysis.Analyzer{ineffective, unchecked, forbidden, lockOSThread()}

// lockOSThread is pinwatch's own vet. The workloads break its rules on purpose.
func lockOSThread() *analysis.Analyzer {
	a := *vet.Analyzer
	run := a.Run
	a.Run = func(pass *analysis.Pass) (any, error) {
		if strings.Contains(pass.Pkg.Path(), "/internal/workload") {
			return new(vet.Result), nil
		}
		return run(pass)
	}
	return &a
}

var (
	// Close, Flush and prints to a stream need no check: golangci-lint's preset std-error-handling.
	uncheckedCode = regexp.MustCompile(
		`(?i)^((os\.)?std(out|err)\..*|.*Close|.*Flush|os\.Remove(All)?|.*print(f|ln)?|os\.(Un)?Setenv)$`)

	uncheckedFuncs = map[string]bool{
		"(*os.Process).Kill":  true, // its error is that the process ended by itself
		"(*os/exec.Cmd).Wait": true, // after Kill; where the status matters, it is read
	}
)

// ineffective is ineffassign. It needs the objects that the parser resolves, which lintcmd's parser
// leaves out, so the files are parsed once more.
var ineffective = &analysis.Analyzer{
	Name: "ineffassign",
	Doc:  ineffassign.Analyzer.Doc,
	Run: func(pass *analysis.Pass) (any, error) {
		p := *pass
		p.Files = nil
		for _, f := range pass.Files {
			parsed, err := parser.ParseFile(pass.Fset, pass.Fset.File(f.Pos()).Name(), nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			p.Files = append(p.Files, parsed)
		}
		return ineffassign.Analyzer.Run(&p)
	},
}

// unchecked is errcheck without the calls whose error means nothing.
var unchecked = &analysis.Analyzer{
	Name: "errcheck",
	Doc:  "report errors that are not checked",
	Run: func(pass *analysis.Pass) (any, error) {
		quiet := *pass
		quiet.Report = func(analysis.Diagnostic) {}
		result, err := errcheck.Analyzer.Run(&quiet)
		if err != nil {
			return nil, err
		}
		for _, e := range result.(errcheck.Result).UncheckedErrors {
			code := cmp.Or(e.SelectorName, e.FuncName, "the call")
			if uncheckedCode.MatchString(code) || uncheckedFuncs[e.FuncName] {
				continue
			}
			for _, f := range pass.Files {
				if file := pass.Fset.File(f.Pos()); file.Name() == e.Pos.Filename {
					pass.Reportf(file.Pos(e.Pos.Offset), "error of %s is not checked", code)
				}
			}
		}
		return nil, nil
	},
}

// prohibitions are functions that only some files may use.
var prohibitions = []struct {
	function *regexp.Regexp // types.Func.FullName
	allowed  func(pkg, file string) bool
	why      string
}{
	{
		regexp.MustCompile(`^os\.Exit$`),
		func(_, file string) bool { // TestMain ends the test's process
			return file == "main.go" || strings.HasSuffix(file, "_test.go")
		},
		"libraries return errors; only a main.go ends the process",
	},
	{
		regexp.MustCompile(`^(log|\(\*log\.Logger\))\.(Fatal|Panic)`),
		func(string, string) bool { return false },
		"libraries return errors",
	},
	{
		regexp.MustCompile(`^\(\*?testing\.\w+\)\.Skip(f|Now)?$`),
		func(pkg, _ string) bool { return strings.Contains(pkg+"/", "/internal/testenv/") },
		"skip through internal/testenv, which reports what was missing",
	},
}

var forbidden = &analysis.Analyzer{
	Name: "forbidden",
	Doc:  "report functions that are used outside the files that may use them",
	Run: func(pass *analysis.Pass) (any, error) {
		for id, object := range pass.TypesInfo.Uses {
			f, ok := object.(*types.Func)
			if !ok {
				continue
			}
			file := filepath.Base(pass.Fset.Position(id.Pos()).Filename)
			if !strings.HasSuffix(file, ".go") {
				continue // a generated main of tests, in the build cache
			}
			for _, p := range prohibitions {
				if p.function.MatchString(f.FullName()) && !p.allowed(pass.Pkg.Path(), file) {
					pass.Reportf(id.Pos(), "%s: %s", f.FullName(), p.why)
				}
			}
		}
		return nil, nil
	},
}
