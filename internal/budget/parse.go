// Package budget judges a report by budgets: limits that a file sets for costs, counts and findings.
//
// Parse reads the file, Judge compares, Write makes a file from a report, and Schema describes the
// file for editors. docs/check.md is the language's description. The names that a budget may have
// are those of the report's own types (metric.go).
//
// A value is known as an interval: a lost record makes a count a lower bound, and a cost has bounds
// in the report. A budget holds where the whole interval is allowed, and is broken where nothing of
// it is. Anything else can't be told.
package budget

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/pinwatch/pinwatch/internal/nearest"
)

// SchemaID is the value of the key "schema" of a file of budgets.
const SchemaID = "pinwatch.budget/v1"

// MaxBytes is the size of the largest file. Ten times all names there are fit into it.
const MaxBytes = 1 << 20

// mostErrors is how many errors of a file are told.
const mostErrors = 20

// Budget is the budgets of one file, in its order.
type Budget struct {
	File    string
	entries []entry
}

// entry is one budget.
type entry struct {
	executable   string // "" = of all
	metric       metric
	limit        limit
	text         string // as written
	line, column int    // of the name
}

// Error is a mistake in a file. Line and Column count from 1.
type Error struct {
	File         string
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Errors are the mistakes in a file.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, 0, len(e))
	for _, one := range e {
		lines = append(lines, one.Error())
	}
	return strings.Join(lines, "\n")
}

// parser collects the budgets and the mistakes of one file.
type parser struct {
	budget Budget
	errors Errors
	seen   map[[2]string]bool // executables and metrics with a budget
}

func (p *parser) fail(n *yaml.Node, format string, args ...any) {
	if len(p.errors) < mostErrors {
		p.errors = append(p.errors, &Error{p.budget.File, max(n.Line, 1), max(n.Column, 1), fmt.Sprintf(format, args...)})
	}
}

// Parse reads a file. name is for errors, which are of type Errors.
func Parse(name string, text []byte) (*Budget, error) {
	p := &parser{budget: Budget{File: name}, seen: map[[2]string]bool{}}
	if root := p.document(text); root != nil {
		p.top(root)
	}
	if len(p.errors) > 0 {
		return nil, p.errors
	}
	return &p.budget, nil
}

// document reads the only document of a file; nil after a mistake. Nothing that it says is expanded:
// aliases stay nodes.
func (p *parser) document(text []byte) *yaml.Node {
	if len(text) > MaxBytes {
		p.fail(&yaml.Node{}, "larger than %d bytes: a file of budgets is a page", MaxBytes)
		return nil
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) != 1 {
		p.fail(&yaml.Node{}, "it has no budget")
		return nil
	}
	if err == nil {
		if err = dec.Decode(&yaml.Node{}); errors.Is(err, io.EOF) {
			return doc.Content[0]
		} else if err == nil {
			p.fail(&yaml.Node{}, "it has several YAML documents: want one")
			return nil
		}
	}
	p.syntax(text, err)
	return nil
}

// syntax explains what is no YAML.
func (p *parser) syntax(text []byte, err error) {
	at, message := yaml.Node{}, strings.TrimPrefix(err.Error(), "yaml: ")
	var e *yaml.LoadError
	if errors.As(err, &e) {
		at.Line, at.Column, message = e.Mark.Line, e.Mark.Column, e.Message
	}
	lines := strings.Split(string(text), "\n")
	if i := at.Line - 1; i >= 0 && i < len(lines) {
		if _, value, _ := strings.Cut(lines[i], ":"); strings.HasPrefix(strings.TrimSpace(value), ">") {
			message += "; in YAML a value that begins with > stands in quotes: \"" + strings.TrimSpace(value) + "\""
		}
	}
	p.fail(&at, "%s", message)
}

// top reads the keys of the file.
func (p *parser) top(root *yaml.Node) {
	p.mapping(root, "the file", func(key, value *yaml.Node) {
		switch key.Value {
		case "schema":
			if p.plain(value) && value.Value != SchemaID {
				p.fail(value, "schema %q: this pinwatch reads %s", value.Value, SchemaID)
			}
		case "executables":
			p.mapping(value, "executables", func(name, budgets *yaml.Node) {
				p.mapping(budgets, "the budgets of "+name.Value, func(key, value *yaml.Node) {
					p.budgets(name.Value, key, value, []string{"findings"})
				})
			})
		default:
			p.budgets("", key, value, []string{"findings", "executables", "schema"})
		}
	})
	if len(p.budget.entries) == 0 && len(p.errors) == 0 {
		p.fail(root, "it has no budget")
	}
}

// budgets reads one key that names a number, or all findings.
func (p *parser) budgets(executable string, key, value *yaml.Node, others []string) {
	if key.Value == "findings" {
		p.mapping(value, "findings", func(key, value *yaml.Node) {
			m, names := findFinding(key.Value)
			p.add(executable, m, names, key, value)
		})
		return
	}
	m, names := findMetric(key.Value)
	p.add(executable, m, append(names, others...), key, value)
}

// add reads one budget. names are those that an unknown metric could have had.
func (p *parser) add(executable string, m metric, names []string, key, value *yaml.Node) {
	if m.name == "" {
		hint := "docs/check.md says which there are"
		if near := nearest.Names(cut(key.Value), names, 1); len(near) > 0 {
			hint = "did you mean " + near[0] + "?"
		}
		p.fail(key, "no number of a report is called %q; %s", cut(key.Value), hint)
		return
	}
	if !p.plain(value) {
		return
	}
	e := entry{executable: executable, metric: m, text: value.Value, line: key.Line, column: key.Column}
	id := [2]string{executable, m.name}
	if p.seen[id] {
		p.fail(key, "there is a budget of %s already", m.name)
		return
	}
	p.seen[id] = true
	var err error
	switch value.ShortTag() {
	case "!!int", "!!float":
		var v float64
		if err = value.Decode(&v); err == nil && (math.IsNaN(v) || v < 0 || v > 1e15) {
			err = fmt.Errorf("%s: want a number from 0 on", value.Value)
		}
		if err == nil && v != 0 && m.kind != count {
			_, err = m.scale(value.Value, "")
		}
		e.limit = limit{lo: v, hi: v}
	default:
		e.limit, err = parseLimit(value.Value, &m)
	}
	if err != nil {
		p.fail(value, "%v", err)
		return
	}
	p.budget.entries = append(p.budget.entries, e)
}

// mapping calls each for the keys of a mapping, all of which differ.
func (p *parser) mapping(n *yaml.Node, what string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		p.fail(n, "%s: want names with budgets, as in \"locked_threads: <= 8\"", what)
		return
	}
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content) && len(p.errors) < mostErrors; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !p.plain(key) {
			continue
		}
		if line := lines[key.Value]; line > 0 {
			p.fail(key, "%q is there already, in line %d", cut(key.Value), line)
			continue
		}
		lines[key.Value] = key.Line
		each(key, value)
	}
}

// plain reports whether a node is a value that says all itself.
func (p *parser) plain(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "":
		p.fail(n, "anchors and aliases are refused: write the value out")
	case n.Style&yaml.TaggedStyle != 0:
		p.fail(n, "tags are refused")
	case n.Kind != yaml.ScalarNode:
		p.fail(n, "want a budget, as in <= 8, not a list or more names")
	default:
		return true
	}
	return false
}

// cut is a text that fits into an error.
func cut(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
