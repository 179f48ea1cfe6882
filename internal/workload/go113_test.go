package workload

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"strings"
	"testing"
)

// TestLanguageIsGo113 wants no construct that needs a newer language than Go 1.13; old toolchains compile these files.
func TestLanguageIsGo113(t *testing.T) {
	for _, dir := range []string{".", "cmd/workload", "cmd/cgoworkload"} {
		names, err := fs.Glob(Sources, strings.TrimPrefix(dir+"/*.go", "./"))
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			src, err := Sources.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(src)
		}
		if len(files) == 0 {
			t.Errorf("no source in %s", dir)
		}
		for _, msg := range tooNew(t, files) {
			t.Error(msg)
		}
	}
}

func TestNewerLanguageIsFound(t *testing.T) {
	for _, src := range []string{
		"package p; func f[T int](T) {}",
		"package p; var x any",
		"package p; func f() { for range 3 {} }",
		"package p; var x = max(1, 2)",
	} {
		if msgs := tooNew(t, map[string]string{"p.go": src}); len(msgs) == 0 {
			t.Errorf("passed as Go 1.13: %s", src)
		}
	}
}

// tooNew type-checks the files of a package as Go 1.13 and returns what the language of that time has not. Imports are
// empty packages, so other errors mean nothing.
func tooNew(t *testing.T, sources map[string]string) []string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for name, src := range sources {
		f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	var msgs []string
	conf := types.Config{
		GoVersion:   "go1.13",
		FakeImportC: true,
		Importer:    emptyImporter{},
		Error: func(err error) {
			if strings.Contains(err.Error(), "requires go1.") {
				msgs = append(msgs, err.Error())
			}
		},
	}
	_, _ = conf.Check("workload", fset, files, nil) // its error is the first of those above
	return msgs
}

type emptyImporter struct{}

func (emptyImporter) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	pkg := types.NewPackage(path, path[strings.LastIndex(path, "/")+1:])
	pkg.MarkComplete()
	return pkg, nil
}
