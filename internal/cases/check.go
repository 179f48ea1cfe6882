package cases

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Outcome is what a run of pinwatch gave.
type Outcome struct {
	Exit    int
	Text    string         // what it printed for people: report and standard error
	JSON    map[string]any // nil = none
	Account map[string]any // of the program
}

// Problems compares an outcome with what is expected: a line for each difference. anywhere has the
// sentences that every report may have.
func (e *Expect) Problems(o *Outcome, anywhere []*regexp.Regexp) (problems []string) {
	if o.Exit != e.Exit {
		problems = append(problems, fmt.Sprintf("exit code %d, want %d", o.Exit, e.Exit))
	}
	text := squeeze(o.Text)
	touched := make([]bool, len(text))
	for _, c := range e.Checks {
		err := c.against(o, text, touched)
		if err != nil {
			problems = append(problems, fmt.Sprintf("EXPECT:%d: %v", c.Line, err))
		}
	}
	for _, s := range sentences(o.JSON) {
		s = squeeze(s)
		at := strings.Index(text, s)
		known := at < 0 || slices.Contains(touched[at:at+len(s)], true) ||
			slices.ContainsFunc(anywhere, func(r *regexp.Regexp) bool { return r.MatchString(s) })
		if !known {
			problems = append(problems, "nobody expects the sentence: "+s)
		}
	}
	return problems
}

// sentences are the findings and the warnings of a report.
func sentences(doc map[string]any) (list []string) {
	for _, v := range elements(doc["findings"]) {
		if f, ok := v.(map[string]any); ok {
			list = append(list, write(f["message"]))
		}
	}
	for _, v := range elements(doc["warnings"]) {
		list = append(list, write(v))
	}
	return list
}

func elements(v any) []any {
	list, _ := v.([]any)
	return list
}

// against compares an outcome with one line. It marks what a match of want or may touches.
func (c *Check) against(o *Outcome, text string, touched []bool) error {
	switch c.Kind {
	case "want", "may", "never":
		r, err := pattern(c.Pattern, o.Account)
		if err != nil {
			return err
		}
		matches := r.FindAllStringIndex(text, -1)
		if c.Kind == "never" && matches != nil {
			return fmt.Errorf("the text must not have, but has: %q", text[matches[0][0]:matches[0][1]])
		}
		if c.Kind == "want" && matches == nil {
			return fmt.Errorf("the text has nothing that matches %s", r)
		}
		for _, m := range matches {
			for i := m[0]; i < m[1]; i++ {
				touched[i] = true
			}
		}
		return nil
	case "findings":
		return c.findings(o)
	}
	if o.JSON == nil {
		return fmt.Errorf("%s: pinwatch printed no JSON", c.Path.text)
	}
	return c.json(o)
}

func (c *Check) findings(o *Outcome) error {
	var got []string
	for _, v := range elements(o.JSON["findings"]) {
		if f, ok := v.(map[string]any); ok {
			got = append(got, write(f["id"]))
		}
	}
	var wrong []string
	for _, id := range c.Findings {
		if id != "none" && id[0] != '?' && !slices.Contains(got, id) {
			wrong = append(wrong, "no "+id)
		}
	}
	for _, id := range got {
		if !slices.Contains(c.Findings, id) && !slices.Contains(c.Findings, "?"+id) {
			wrong = append(wrong, "a "+id)
		}
	}
	if wrong != nil {
		return fmt.Errorf("findings: %s; want %s", strings.Join(wrong, ", "), strings.Join(c.Findings, " "))
	}
	return nil
}

func (c *Check) json(o *Outcome) error {
	values, err := c.Path.find(o.JSON, o.Account)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return fmt.Errorf("%s selects nothing", c.Path.text)
	}
	want, err := evaluate(c.Value, o.Account)
	if err != nil {
		return err
	}
	for _, got := range values {
		if !holds(got, c.Op, want) {
			return fmt.Errorf("%s is %s, want %s %s (%s)", c.Path.text, write(got), c.Op, write(want), c.Value)
		}
	}
	return nil
}

func holds(got any, op string, want any) bool {
	switch op {
	case "~":
		return regexp.MustCompile(write(want)).MatchString(write(got))
	case "=":
		return write(got) == write(want)
	case "!=":
		return write(got) != write(want)
	}
	a, aok := got.(float64)
	b, bok := want.(float64)
	if !aok || !bok { // null is not less than any number
		return false
	}
	return map[string]bool{"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
}

// squeeze makes one blank of all white space.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
