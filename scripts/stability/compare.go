package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/scripts/results"
)

// mayStayOpen is how many statements a run alone may leave inconclusive.
const mayStayOpen = 2

// comparison compares the verdicts of several runs.
type comparison struct {
	runs       []string
	order      []string // statements
	statements map[string]*statement
	open       map[string]int // inconclusive statements, by run
}

// statement is one statement's verdicts.
type statement struct {
	verdict, first string   // the first conclusive verdict, and its run
	open           []string // runs that were inconclusive
	near           []string // "VERDICT in RUN" of borderline and not_witnessed
	others         []string // "VERDICT in RUN" of conclusive verdicts that differ
}

func (c *comparison) add(run string, v *results.Verdicts) {
	if c.statements == nil {
		c.statements, c.open = map[string]*statement{}, map[string]int{}
	}
	c.runs = append(c.runs, run)
	for _, row := range v.Verdicts {
		s := c.statements[row.ID]
		if s == nil {
			s = &statement{}
			c.statements[row.ID] = s
			c.order = append(c.order, row.ID)
		}
		switch {
		case row.Verdict == contract.Borderline, row.Verdict == contract.NotWitnessed:
			s.near = append(s.near, row.Verdict+" in "+run) // contradicts no verdict, and is not open
		case row.Verdict == contract.Inconclusive:
			s.open = append(s.open, run)
			c.open[run]++
		case s.verdict == "":
			s.verdict, s.first = row.Verdict, run
		case s.verdict != row.Verdict:
			s.others = append(s.others, row.Verdict+" in "+run)
		}
	}
}

// report prints the statements that were not the same in all runs, and returns an error when that
// must not be.
func (c *comparison) report(w io.Writer) error {
	same, open, wrong := 0, 0, 0
	for _, id := range c.order {
		switch s := c.statements[id]; {
		case s.others != nil:
			wrong++
			fmt.Fprintf(w, "%s: WRONG: %s in %s, %s\n", id, s.verdict, s.first, strings.Join(s.others, ", "))
		case s.open == nil && (s.near == nil || s.verdict == ""):
			same++
		case s.open == nil:
			same++
			fmt.Fprintf(w, "%s: %s in %s, %s\n", id, s.verdict, s.first, strings.Join(s.near, ", "))
		case s.verdict == "":
			open++
			fmt.Fprintf(w, "%s: inconclusive in %s\n", id, strings.Join(s.open, " "))
		default:
			open++
			fmt.Fprintf(w, "%s: %s, inconclusive in %s\n", id, s.verdict, strings.Join(s.open, " "))
		}
	}
	fmt.Fprintf(w, "%d statements in %d runs: %d the same in all, %d inconclusive in some, %d WRONG\n",
		len(c.order), len(c.runs), same, open, wrong)
	tooOpen := slices.DeleteFunc(slices.Clone(c.runs), func(run string) bool {
		return !strings.HasPrefix(run, "alone") || c.open[run] <= mayStayOpen
	})
	for _, run := range tooOpen {
		fmt.Fprintf(w, "%s: %d inconclusive, %d are allowed\n", run, c.open[run], mayStayOpen)
	}
	if wrong > 0 || len(tooOpen) > 0 || len(c.order) == 0 {
		return errors.New("not stable")
	}
	return nil
}
