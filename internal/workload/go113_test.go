package workload

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"strings"
	"testing"
)

// Old toolchains compile all of Sources: no construct needs a newer language than Go 1.13, and no
// import is of another package than the workload's and the standard library.
func TestSourcesAreGo113(t *testing.T) {
	dirs := map[string]map[string]string{} // folder → file → text
	err := fs.WalkDir(Sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := Sources.ReadFile(name)
		dir := path.Dir(name)
		if dirs[dir] == nil {
			dirs[dir] = map[string]string{}
		}
		dirs[dir][name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{".", "catalog", "cmd/cgoworkload", "cmd/workload", "probe", "program", "trial", "work"} {
		if len(dirs[dir]) == 0 {
			t.Errorf("no source in %s", dir)
		}
	}
	for _, files := range dirs {
		for _, msg := range tooNew(t, files) {
			t.Error(msg)
		}
		for _, imported := range imports(t, files) {
			const module = "github.com/pinwatch/pinwatch/internal/workload"
			inside := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
			if strings.Contains(imported, ".") && (!strings.HasPrefix(imported, module) || dirs[path.Clean(inside)] == nil) {
				t.Errorf("imports %s, which is not in Sources", imported)
			}
		}
	}
}

// imports lists what the files of a package import.
func imports(t *testing.T, sources map[string]string) (paths []string) {
	t.Helper()
	for name, src := range sources {
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			paths = append(paths, strings.Trim(i.Path.Value, `"`))
		}
	}
	return paths
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

// tooNew type-checks the files of a package as Go 1.13 and returns the errors about newer language.
// Imports are empty packages, so other errors are ignored.
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
