// Package gosource finds places in the source of a Go release: functions of the runtime, by name,
// and lines in them.
package gosource

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is the source of one release. It reads a file when it is first asked for it.
type Tree struct {
	src   fs.FS
	files map[string]*file
}

// ErrNoTree is the error for a folder that is not a Go release with its source.
var ErrNoTree = errors.New("no Go tree")

// Open opens the source below a GOROOT.
func Open(goroot string) (*Tree, error) {
	src := filepath.Join(goroot, "src")
	if _, err := os.Stat(filepath.Join(src, "runtime", "proc.go")); err != nil {
		return nil, fmt.Errorf("%s: %w: it has no src/runtime/proc.go", goroot, ErrNoTree)
	}
	return &Tree{src: os.DirFS(src), files: map[string]*file{}}, nil
}

// file is a parsed file.
type file struct {
	lines       []string // the text, with comments blanked
	functions   map[string]lines
	constrained bool
}

// lines are the numbers of a function's first and last line, from 1.
type lines struct{ first, last int }

// ambiguous stands for a name of more than one method of a file.
var ambiguous lines

// Function is a function of a file.
type Function struct {
	File string // below src
	Name string
	Line int // of its begin
	text []string
}

// Find finds a function by its name, a method by its own or by Type.name; false = the file has none.
// The release may lack the file as well. Where a name alone is that of more than one, that is an
// error.
func (t *Tree) Find(name, function string) (Function, bool, error) {
	f, err := t.file(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Function{}, false, nil
	}
	if err != nil {
		return Function{}, false, err
	}
	l, ok := f.functions[function]
	switch {
	case !ok:
		return Function{}, false, nil
	case l == ambiguous:
		return Function{}, false, fmt.Errorf("%s has more than one %s: want Type.%s", name, function, function)
	}
	return Function{File: name, Name: function, Line: l.first, text: f.lines[l.first-1 : l.last]}, true, nil
}

// LineOf is the number of the function's first line that has the code, outside of comments; 0 = no
// line has it.
func (f Function) LineOf(code string) int {
	i := slices.IndexFunc(f.text, func(l string) bool { return strings.Contains(l, code) })
	if i < 0 {
		return 0
	}
	return f.Line + i
}

// Constrained reports whether a build constraint leaves a Go file out for some systems. It does not
// read the file's name.
func (t *Tree) Constrained(name string) (bool, error) {
	f, err := t.file(name)
	if err != nil {
		return false, err
	}
	return f.constrained, nil
}

// Files lists the names of a package's files, without their folder.
func (t *Tree) Files(pkg string) (names []string, err error) {
	entries, err := fs.ReadDir(t.src, pkg)
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Use is a line that has a word.
type Use struct {
	File string
	Line int
}

// Uses lists the lines of a package's Go and assembly files, without tests, that have a word
// outside of Go comments. The package is a folder below src.
func (t *Tree) Uses(pkg, word string) (uses []Use, err error) {
	names, err := t.Files(pkg)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		name = path.Join(pkg, name)
		isGo := strings.HasSuffix(name, ".go")
		if strings.HasSuffix(name, "_test.go") || !isGo && !strings.HasSuffix(name, ".s") {
			continue
		}
		var text []string
		if isGo {
			f, err := t.file(name)
			if err != nil {
				return nil, err
			}
			text = f.lines
		} else {
			b, err := fs.ReadFile(t.src, name)
			if err != nil {
				return nil, err
			}
			text = strings.Split(string(b), "\n")
		}
		for i, l := range text {
			if strings.Contains(l, word) {
				uses = append(uses, Use{name, i + 1})
			}
		}
	}
	return uses, nil
}

func (t *Tree) file(name string) (*file, error) {
	if f := t.files[name]; f != nil {
		return f, nil
	}
	text, err := fs.ReadFile(t.src, name)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &file{functions: map[string]lines{}}
	for _, d := range parsed.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			f.add(fn, lines{fset.Position(fn.Pos()).Line, fset.Position(fn.End()).Line})
		}
	}
	base := fset.File(parsed.Pos()).Base()
	for _, group := range parsed.Comments {
		for _, c := range group.List {
			f.constrained = f.constrained || c.Pos() < parsed.Package &&
				(constraint.IsGoBuild(c.Text) || constraint.IsPlusBuild(c.Text))
			for i := int(c.Pos()) - base; i < int(c.End())-base && i < len(text); i++ {
				if text[i] != '\n' {
					text[i] = ' '
				}
			}
		}
	}
	f.lines = strings.Split(string(text), "\n")
	t.files[name] = f
	return f, nil
}

func (f *file) add(fn *ast.FuncDecl, l lines) {
	name := fn.Name.Name
	if fn.Recv != nil {
		f.functions[receiver(fn.Recv.List[0].Type)+"."+name] = l
	}
	if _, twice := f.functions[name]; twice {
		l = ambiguous
	}
	f.functions[name] = l
}

// receiver is the name of a method's type, without its star and parameters.
func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}
