package report

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// CheckID is the value of the key "schema" of a check.
const CheckID = "pinwatch.check/v1"

// CheckSchema is the JSON Schema (2020-12) of a check.
//
//go:embed check-v1.schema.json
var CheckSchema []byte

// What came of a budget.
const (
	BudgetHeld      = "held"
	BudgetBroken    = "broken"
	BudgetUndecided = "undecided" // it can't be told
)

// Check is a report compared with budgets. Package budget makes it. The schema gives the meaning of
// each key.
type Check struct {
	Schema    string       `json:"schema"`
	Pinwatch  Pinwatch     `json:"pinwatch"`
	Budget    string       `json:"budget"` // the file
	Subject   string       `json:"subject"`
	Verdict   string       `json:"verdict"`
	Broken    int          `json:"broken"`
	Undecided int          `json:"undecided"`
	Held      int          `json:"held"`
	Checks    []BudgetLine `json:"checks"` // broken ones first, then undecided, each in the order of the file
}

// BudgetLine is one budget and the number that it is for, in Unit. Nil = not known: with one of AtLeast
// and AtMost the value is a bound.
type BudgetLine struct {
	Metric     string   `json:"metric"`
	Executable *string  `json:"executable"` // nil = all
	Budget     string   `json:"budget"`     // as written
	Unit       string   `json:"unit"`       // ns, s, fraction, or "" of a count
	AtLeast    *float64 `json:"at_least"`
	AtMost     *float64 `json:"at_most"`
	Verdict    string   `json:"verdict"`
	Beyond     *float64 `json:"beyond"` // how far beyond the budget, at least; nil unless broken
	Limit      *float64 `json:"limit"`  // that it is beyond of
	Why        *string  `json:"why"`    // it can't be told, or what limits the value
	Line       int      `json:"line"`   // in the file, from 1
	Column     int      `json:"column"` // the same
}

// Name is the metric with its executable.
func (l *BudgetLine) Name() string {
	if l.Executable == nil {
		return l.Metric
	}
	return *l.Executable + ": " + l.Metric
}

// Value is the number in words.
func (l *BudgetLine) Value() string {
	switch {
	case l.AtLeast != nil && l.AtMost != nil && *l.AtLeast == *l.AtMost:
		return l.quantity(*l.AtLeast)
	case l.AtLeast != nil && l.AtMost != nil:
		return l.quantity(*l.AtLeast) + "–" + l.quantity(*l.AtMost)
	case l.AtLeast != nil:
		return "≥ " + l.quantity(*l.AtLeast)
	case l.AtMost != nil:
		return "≤ " + l.quantity(*l.AtMost)
	}
	return "not known"
}

// By is how far the number is beyond the budget, in words; "" unless it is broken.
func (l *BudgetLine) By() string {
	if l.Beyond == nil || l.Limit == nil {
		return ""
	}
	words := l.quantity(*l.Beyond)
	if *l.Limit > 0 && l.Unit != "fraction" {
		words += " (" + unit.ShortPercent(*l.Beyond / *l.Limit) + ")"
	}
	if l.AtLeast == nil || l.AtMost == nil || *l.AtLeast != *l.AtMost {
		words = "≥ " + words
	}
	return words
}

func (l *BudgetLine) quantity(v float64) string {
	switch l.Unit {
	case "ns":
		return unit.Duration(v)
	case "s":
		return unit.Duration(1e9 * v)
	case "fraction":
		return unit.ShortPercent(v)
	}
	if v == float64(int64(v)) {
		return unit.Whole(v)
	}
	return unit.Digits(v)
}

// sentence says what came of a budget that did not hold.
func (l *BudgetLine) sentence() string {
	words := fmt.Sprintf("%s is %s, the budget %s", l.Name(), l.Value(), l.Budget)
	switch {
	case l.Verdict == BudgetBroken:
		words += ": beyond it by " + l.By()
	case l.Verdict == BudgetUndecided:
		words += ": it can't be told"
	}
	if l.Why != nil {
		words += " (" + *l.Why + ")"
	}
	return words
}

// Heading counts the verdicts in words.
func (c *Check) Heading() string {
	return fmt.Sprintf("%s broken, %s undecided, %s held", unit.Plural(c.Broken, "budget"), unit.Count(c.Undecided),
		unit.Count(c.Held))
}

// WriteCheckJSON writes a check as one indented JSON object and a newline.
func WriteCheckJSON(w io.Writer, c *Check) error { return writeJSON(w, c, "  ") }

// WriteCheckJUnit writes one suite with a case for each budget: broken ones are failures, undecided
// ones errors, for neither passes.
func WriteCheckJUnit(w io.Writer, c *Check) error {
	s := junitSuite{Name: c.Budget, Tests: len(c.Checks), Failures: c.Broken, Errors: c.Undecided}
	for i := range c.Checks {
		l := &c.Checks[i]
		row := junitCase{Class: "pinwatch.check", Name: l.Name() + " " + l.Budget, Out: l.sentence()}
		message := &junitMessage{Type: l.Verdict, Message: l.sentence(), Text: fmt.Sprintf("%s:%d", c.Budget, l.Line)}
		switch l.Verdict {
		case BudgetBroken:
			row.Failure = message
		case BudgetUndecided:
			row.Error = message
		}
		s.Cases = append(s.Cases, row)
	}
	return writeJUnit(w, junitSuites{Name: "pinwatch check", Suites: []junitSuite{s}})
}

// Annotation writes a workflow command of GitHub, which marks a line of a file: level is error, warning
// or notice.
func Annotation(w io.Writer, level, file string, line, column int, title, message string) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := func(s string) string { return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data.Replace(s)) }
	_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", level, property(file), line, column,
		property(title), data.Replace(message))
	if err != nil {
		return fmt.Errorf("write annotation: %w", err)
	}
	return nil
}

// WriteCheckAnnotations writes an annotation for each budget that did not hold, and a line for all.
func WriteCheckAnnotations(w io.Writer, c *Check) error {
	for i := range c.Checks {
		l, level := &c.Checks[i], "error"
		if l.Verdict == BudgetHeld {
			continue
		}
		if l.Verdict == BudgetUndecided {
			level = "warning"
		}
		if err := Annotation(w, level, c.Budget, l.Line, l.Column, "pinwatch: "+l.Verdict, l.sentence()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "pinwatch: %s\n", c.Heading())
	return err
}

// WriteCheckMarkdown writes a table, for a summary of a CI job.
func WriteCheckMarkdown(w io.Writer, c *Check) error {
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;", "`", "'").Replace
	var b strings.Builder
	fmt.Fprintf(&b, "### pinwatch check: %s\n\n%s against %s\n\n| | number | value | budget | beyond by | |\n"+
		"|---|---|---|---|---|---|\n", c.Heading(), cell(c.Subject), cell(c.Budget))
	for i := range c.Checks {
		l, why := &c.Checks[i], ""
		if l.Why != nil {
			why = *l.Why
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", l.Verdict, cell(l.Name()), cell(l.Value()), cell(l.Budget),
			cell(l.By()), cell(why))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}
