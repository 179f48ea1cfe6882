package contract

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Citation is what a reader who quotes a verdict needs besides its evidence.
type Citation struct {
	Spec   string            // the specification's words; "" = the statement is not in it
	True   map[string]string // by verdict: the statement as it is true
	See    []string          // statements about the same fact
	Source []Place           // in the source of the runtime
}

// Place is a line in the source of Go, by function, so that it is found in every release.
type Place struct {
	File         string   // below src
	Functions    []string // the first that the file has
	Since, Until int      // minor releases; 0 = no limit
	Code         string   // a part of the line; "" = the function's first line
	Without      bool     // no line of the function has the code
}

// In reports whether the place is one of Go 1.minor.
func (p Place) In(minor int) bool { return minor >= p.Since && (p.Until == 0 || minor <= p.Until) }

//go:embed citations.txt
var citationsText string

var citations = sync.OnceValue(func() map[string]Citation {
	c, err := parseCitations(citationsText)
	if err != nil {
		panic(err) // the text is part of this program, and a test reads it
	}
	return c
})

// Citation returns what citations.txt has about the statement.
func (s Statement) Citation() Citation { return citations()[s.ID] }

// Corrected is the statement as it is true; "" where the verdict leaves nothing to correct.
func (o Outcome) Corrected(interval string) string {
	text := o.Statement.Citation().True[o.Verdict]
	return strings.ReplaceAll(text, "{interval}", interval)
}

func parseCitations(text string) (map[string]Citation, error) {
	all := map[string]Citation{}
	id := ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		key, rest, ok := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !ok:
			if _, twice := all[line]; twice {
				return nil, fmt.Errorf("citations, line %d: %s again", n, line)
			}
			id = line
			all[id] = Citation{True: map[string]string{}}
		default:
			c := all[id]
			if err := c.add(key, rest); err != nil {
				return nil, fmt.Errorf("citations, line %d: %w", n, err)
			}
			all[id] = c
		}
	}
	return all, nil
}

func (c *Citation) add(key, text string) error {
	switch key {
	case "spec":
		c.Spec = text
	case "see":
		c.See = append(c.See, words(text)...)
	case "true":
		verdicts, statement, ok := strings.Cut(text, ": ")
		if !ok {
			return fmt.Errorf("true %q: want VERDICTS: TEXT", text)
		}
		for _, v := range words(verdicts) {
			c.True[v] = statement
		}
	case "source":
		p, err := parsePlace(text)
		if err != nil {
			return fmt.Errorf("source %q: %w", text, err)
		}
		c.Source = append(c.Source, p)
	default:
		return fmt.Errorf("no such key: %q", key)
	}
	return nil
}

// words splits a list at commas and blanks.
func words(list string) []string { return strings.Fields(strings.ReplaceAll(list, ",", " ")) }

func parsePlace(text string) (p Place, err error) {
	head, code, _ := strings.Cut(text, ": ")
	p.Code = code
	if rest, ok := strings.CutPrefix(code, "without "); ok {
		p.Code, p.Without = rest, true
	}
	fields := strings.Fields(head)
	if len(fields) < 2 || len(fields) > 3 {
		return p, fmt.Errorf("want FILE FUNCTION [RELEASES]: CODE")
	}
	p.File, p.Functions = fields[0], strings.Split(fields[1], "|")
	if len(fields) == 2 {
		return p, nil
	}
	since, until, ok := strings.Cut(fields[2], "-")
	for _, end := range []struct {
		text string
		n    *int
	}{{since, &p.Since}, {until, &p.Until}} {
		if end.text != "" && err == nil {
			*end.n, err = strconv.Atoi(end.text)
		}
	}
	if !ok || err != nil {
		return p, fmt.Errorf("releases %q: want 14-22, 14- or -22", fields[2])
	}
	return p, nil
}
