package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/format"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/packages"

	"github.com/pinwatch/pinwatch/vet"
)

// vetFindings are the results of vet. As JSON they follow the schema in Schema.
type vetFindings struct {
	Schema      string          `json:"schema"`
	Diagnostics []vetDiagnostic `json:"diagnostics"`
	Fixed       int             `json:"fixed"`  // fixes applied
	Errors      []string        `json:"errors"` // packages that could not be read, or not all of them

	edits map[string]map[vetEdit]bool // by file
	seen  map[vetPlace]bool
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
		edits: map[string]map[vetEdit]bool{}, seen: map[vetPlace]bool{},
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

func (v *vetFindings) add(fset *token.FileSet, diagnostics []analysis.Diagnostic) {
	for _, d := range diagnostics {
		place := positionOf(fset, d.Pos, d.Message)
		if v.seen[place] {
			continue
		}
		v.seen[place] = true
		end := fset.Position(d.End)
		out := vetDiagnostic{
			vetPlace: place, EndLine: end.Line, EndColumn: end.Column, Check: d.Category,
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

func (v *vetFindings) sort() {
	slices.SortFunc(v.Diagnostics, func(a, b vetDiagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
}

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

func (v *vetFindings) write(s streams, form string) error {
	if form == "json" {
		enc := json.NewEncoder(s.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	var b bytes.Buffer
	fixable := 0
	for _, d := range v.Diagnostics {
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s\n", d.File, d.Line, d.Column, d.Check, d.Message)
		if d.Fixable {
			fixable++
		}
	}
	if v.Fixed > 0 {
		fmt.Fprintf(&b, "%d fixed\n", v.Fixed)
	}
	if fixable > 0 {
		fmt.Fprintf(&b, "%d of %d can be fixed: pinwatch vet --fix\n", fixable, len(v.Diagnostics))
	}
	_, err := s.out.Write(b.Bytes())
	return err
}
