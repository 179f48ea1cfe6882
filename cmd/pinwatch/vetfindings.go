package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/format"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"github.com/pinwatch/pinwatch/vet"
)

// vetFindings are the results of vet. As JSON they follow the schema in Schema.
type vetFindings struct {
	Schema      string          `json:"schema"`
	Diagnostics []vetDiagnostic `json:"diagnostics"`
	Packages    int             `json:"packages"` // checked, each with its tests
	NotChecked  int             `json:"packages_not_checked"`
	Locks       int             `json:"locks"`  // calls of LockOSThread in the packages checked
	Fixed       int             `json:"fixed"`  // fixes applied
	Errors      []string        `json:"errors"` // packages that could not be read, or not all of them

	edits map[string]map[vetEdit]bool // by file
	seen  map[vetPlace]bool
	pkgs  map[string]bool // whether all of it was checked
}

// vetPlace identifies a diagnostic. A file that is in a package and in its test variant is analyzed
// twice.
type vetPlace struct {
	File    string `json:"file"` // below the working directory: relative to it
	Line    int    `json:"line"`
	Column  int    `json:"column"` // in bytes, from 1
	Message string `json:"message"`
}

type vetDiagnostic struct {
	vetPlace
	Package   string     `json:"package"`
	EndLine   int        `json:"end_line"`
	EndColumn int        `json:"end_column"`
	Check     string     `json:"check"`
	Statement string     `json:"statement"` // of the specification, or line of its checklists
	Fixable   bool       `json:"fixable"`
	Related   []vetPlace `json:"related"`
}

type vetEdit struct {
	start, end int // byte offsets
	text       string
}

func newVetFindings() *vetFindings {
	return &vetFindings{
		Schema: "pinwatch.vet/v1", Diagnostics: []vetDiagnostic{}, Errors: []string{},
		edits: map[string]map[vetEdit]bool{}, seen: map[vetPlace]bool{}, pkgs: map[string]bool{},
	}
}

// addErrors adds why a package could not be loaded, each reason once.
func (v *vetFindings) addErrors(p *packages.Package) {
	for _, e := range p.Errors {
		text := e.Msg
		if e.Pos != "" && e.Pos != "-" {
			text = relative(e.Pos) + ": " + text
		}
		if text = shortened(text); !slices.Contains(v.Errors, text) {
			v.Errors = append(v.Errors, text)
		}
	}
}

// shortened puts an error into one line of limited length. The go command passes on a C compiler's
// errors, which have hundreds of lines.
func shortened(text string) string {
	const most = 240 // bytes
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

// count counts a package, once with its tests. A package is not checked if a part of it is not.
func (v *vetFindings) count(p *packages.Package, checked bool) {
	pkg := packageOf(p)
	if strings.HasSuffix(pkg, ".test") { // the go command's main package of tests
		return
	}
	before, seen := v.pkgs[pkg]
	v.pkgs[pkg] = checked && (before || !seen)
	v.Packages, v.NotChecked = 0, 0
	for _, checked := range v.pkgs {
		if checked {
			v.Packages++
		} else {
			v.NotChecked++
		}
	}
}

// packageOf returns the path of a package, or of the one that it tests.
func packageOf(p *packages.Package) string {
	if p.ForTest != "" {
		return p.ForTest
	}
	return p.PkgPath
}

func (v *vetFindings) add(act *checker.Action) {
	fset, pkg := act.Package.Fset, packageOf(act.Package)
	for _, pos := range act.Result.(*vet.Result).Locks {
		if place := positionOf(fset, pos, ""); !v.seen[place] {
			v.seen[place] = true
			v.Locks++
		}
	}
	for _, d := range act.Diagnostics {
		place := positionOf(fset, d.Pos, d.Message)
		if v.seen[place] {
			continue
		}
		v.seen[place] = true
		end := fset.Position(d.End)
		out := vetDiagnostic{
			vetPlace: place, Package: pkg, EndLine: end.Line, EndColumn: end.Column, Check: d.Category,
			Fixable: len(d.SuggestedFixes) > 0, Related: []vetPlace{},
		}
		if i := slices.IndexFunc(vet.Checks, func(c vet.Check) bool { return c.Name == d.Category }); i >= 0 {
			out.Statement = vet.Checks[i].Statement
		}
		for _, r := range d.Related {
			out.Related = append(out.Related, positionOf(fset, r.Pos, r.Message))
		}
		v.Diagnostics = append(v.Diagnostics, out)
		for _, fix := range d.SuggestedFixes {
			for _, e := range fix.TextEdits {
				file := fset.File(e.Pos)
				if v.edits[file.Name()] == nil {
					v.edits[file.Name()] = map[vetEdit]bool{}
				}
				v.edits[file.Name()][vetEdit{file.Offset(e.Pos), file.Offset(e.End), string(e.NewText)}] = true
			}
		}
	}
}

func positionOf(fset *token.FileSet, pos token.Pos, message string) vetPlace {
	p := fset.Position(pos)
	return vetPlace{relative(p.Filename), p.Line, p.Column, message}
}

// relative shortens the names of files below the working directory.
func relative(name string) string {
	dir, err := os.Getwd()
	if err != nil {
		return name
	}
	if rest, ok := strings.CutPrefix(name, dir+string(filepath.Separator)); ok {
		return rest
	}
	return name
}

// sort puts matters of style after mistakes, and locks without a comment last.
func (v *vetFindings) sort() {
	rank := func(d vetDiagnostic) int {
		i := slices.IndexFunc(vet.Checks, func(c vet.Check) bool { return c.Name == d.Check })
		switch {
		case d.uncommented():
			return 2
		case i >= 0 && vet.Checks[i].Style():
			return 1
		}
		return 0
	}
	slices.SortFunc(v.Diagnostics, func(a, b vetDiagnostic) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
}

// uncommented reports whether a diagnostic is a note about a lock without a comment.
func (d vetDiagnostic) uncommented() bool { return d.Check == "comment" }

// fix applies the suggested fixes, formats the files, and returns the number of fixes. Each fix
// inserts.
func (v *vetFindings) fix() (fixed int, err error) {
	for name, set := range v.edits {
		mode, err := os.Stat(name)
		if err != nil {
			return fixed, fmt.Errorf("--fix: %w", err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return fixed, fmt.Errorf("--fix: %w", err)
		}
		edits := make([]vetEdit, 0, len(set))
		for e := range set {
			edits = append(edits, e)
		}
		slices.SortFunc(edits, func(a, b vetEdit) int { return cmp.Compare(b.start, a.start) }) // the last first
		for _, e := range edits {
			text = slices.Concat(text[:e.start], []byte(e.text), text[e.end:])
		}
		if text, err = format.Source(text); err != nil {
			return fixed, fmt.Errorf("--fix: %s would not parse any more: %w", relative(name), err)
		}
		if err := os.WriteFile(name, text, mode.Mode().Perm()); err != nil {
			return fixed, fmt.Errorf("--fix: %w", err)
		}
		fixed += len(edits)
	}
	return fixed, nil
}

func (v *vetFindings) write(s streams, form string, comments bool) error {
	if form == "json" {
		enc := json.NewEncoder(s.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	if v.Packages == 0 { // the error is the answer
		return nil
	}
	var b bytes.Buffer
	fixable, uncommented := 0, map[string][]vetDiagnostic{}
	for _, d := range v.Diagnostics {
		if d.uncommented() {
			uncommented[d.Package] = append(uncommented[d.Package], d)
		}
		if !d.uncommented() || comments {
			fmt.Fprintf(&b, "%s:%d:%d: %s: %s\n", d.File, d.Line, d.Column, d.Check, d.Message)
		}
		if d.Fixable {
			fixable++
		}
	}
	notes := 0
	for _, pkg := range slices.Sorted(maps.Keys(uncommented)) {
		in := uncommented[pkg]
		notes += len(in)
		if !comments {
			fmt.Fprintf(&b, "%s: comment: %s without a comment that gives the reason, the first at %s:%d; "+
				"--comments lists them\n", pkg, counted(len(in), "lock"), in[0].File, in[0].Line)
		}
	}
	fmt.Fprintf(&b, "%s, %s, %s", counted(v.Packages, "package"), counted(v.Locks, "lock"),
		counted(len(v.Diagnostics)-notes, "finding"))
	if v.NotChecked > 0 {
		fmt.Fprintf(&b, ", %s not checked", counted(v.NotChecked, "package"))
	}
	if notes > 0 {
		fmt.Fprintf(&b, ", %s without a comment", counted(notes, "lock"))
	}
	if v.Fixed > 0 {
		fmt.Fprintf(&b, ", %d fixed", v.Fixed)
	}
	fmt.Fprintln(&b)
	if fixable > 0 {
		fmt.Fprintf(&b, "%d of them can be fixed: pinwatch vet --fix\n", fixable)
	}
	_, err := s.out.Write(b.Bytes())
	return err
}

// counted writes a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
