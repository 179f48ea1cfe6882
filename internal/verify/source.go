package verify

import (
	"embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"runtime"

	"golang.org/x/tools/go/analysis"

	"github.com/pinwatch/pinwatch/vet"
)

// sources are small programs: NAME_bad.txt breaks the analyzer's rule NAME, NAME_good.txt keeps it.
// They are no .go files, so that the go command does not vet them.
//
//go:embed sources/*.txt
var sources embed.FS

// source runs the analyzer of pinwatch vet on each of them.
func source(r *run) error {
	r.Source = "the diagnostics of pinwatch vet on embedded source files"
	for _, rule := range []string{"comment", "unlock", "defer", "caller", "setup", "cleanup", "handler", "paths"} {
		for _, kind := range []string{"bad", "good"} {
			name := "sources/" + rule + "_" + kind + ".txt"
			found, err := diagnosed(name, rule)
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			r.Workloads = append(r.Workloads, name)
			r.add(rule+"_"+kind, 1)
			if found {
				r.add(rule+"_"+kind+"_reported", 1)
			}
		}
	}
	return nil
}

// diagnosed is true when the analyzer reports that rule for a file.
func diagnosed(name, rule string) (found bool, err error) {
	text, err := sources.ReadFile(name)
	if err != nil {
		return false, err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return false, err
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{},
		Uses:      map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
		Scopes:    map[ast.Node]*types.Scope{},
		Instances: map[*ast.Ident]types.Instance{}, FileVersions: map[*ast.File]string{},
	}
	sizes := types.SizesFor("gc", runtime.GOARCH)
	conf := types.Config{Importer: declared{fset}, Sizes: sizes}
	pkg, err := conf.Check("worker", fset, []*ast.File{file}, info)
	if err != nil {
		return false, err
	}
	_, err = vet.New().Run(&analysis.Pass{
		Analyzer: vet.Analyzer, Fset: fset, Files: []*ast.File{file}, Pkg: pkg, TypesInfo: info, TypesSizes: sizes,
		Report: func(d analysis.Diagnostic) { found = found || d.Category == rule },
	})
	return found, err
}

// imports declares the part of the standard library that the sources use, so that no Go toolchain
// is needed to check them.
var imports = map[string]string{
	"net/http": "package http; type ResponseWriter interface{ Write([]byte) (int, error) }; type Request struct{}; " +
		"func HandleFunc(pattern string, handler func(ResponseWriter, *Request)) {}",
	"runtime": "package runtime; func LockOSThread() {}; func UnlockOSThread() {}",
	"syscall": "package syscall; const ( CLONE_NEWNET = 0x40000000; PRIO_PROCESS = 0 ); " +
		"func Unshare(flags int) error { return nil }; func Gettid() int { return 0 }; " +
		"func Setpriority(which, who, prio int) error { return nil }",
}

// declared is an importer of imports.
type declared struct{ fset *token.FileSet }

func (d declared) Import(path string) (*types.Package, error) {
	text, ok := imports[path]
	if !ok {
		return nil, fmt.Errorf("package %s is not declared", path)
	}
	file, err := parser.ParseFile(d.fset, path+".go", text, 0)
	if err != nil {
		return nil, err
	}
	return new(types.Config).Check(path, d.fset, []*ast.File{file}, nil)
}
