package budget

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/pinwatch/pinwatch/internal/report"
)

// value is what is known of a number.
type value struct {
	lo, hi *float64 // nil = no bound is known
	why    string   // why it is not known better, or what it does not say
	lossy  bool     // records that it needs may be missing: no budget of it holds
}

func exactly(v float64) value { return value{lo: &v, hi: &v} }

// atLeast is a lower bound. That of 0 says nothing: no number of a report is less.
func atLeast(v float64, format string, args ...any) value {
	if v == 0 {
		return unknown(format, args...)
	}
	return value{lo: &v, why: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) value { return value{why: fmt.Sprintf(format, args...)} }

// lacking is a count of which events may be missing.
func lacking(v float64, why string) value {
	c := atLeast(v, "%s", why)
	c.lossy = true
	return c
}

// Judge compares a subject with a budget.
func Judge(b *Budget, s *Subject, version string) *report.Check {
	c := &report.Check{Schema: report.CheckID, Pinwatch: report.Pinwatch{Version: version}, Budget: b.File,
		Subject: s.Name, Checks: make([]report.BudgetLine, 0, len(b.entries))}
	for i := range b.entries {
		e := &b.entries[i]
		line := e.judge(s.value(e.executable, &e.metric))
		switch line.Verdict {
		case report.BudgetBroken:
			c.Broken++
		case report.BudgetUndecided:
			c.Undecided++
		default:
			c.Held++
		}
		c.Checks = append(c.Checks, line)
	}
	order := []string{report.BudgetBroken, report.BudgetUndecided, report.BudgetHeld}
	slices.SortStableFunc(c.Checks, func(a, b report.BudgetLine) int {
		return cmp.Compare(slices.Index(order, a.Verdict), slices.Index(order, b.Verdict))
	})
	c.Verdict = report.BudgetHeld
	if len(c.Checks) > 0 {
		c.Verdict = c.Checks[0].Verdict
	}
	return c
}

func (e *entry) judge(v value) report.BudgetLine {
	line := report.BudgetLine{Metric: e.metric.name, Budget: e.text, AtLeast: v.lo, AtMost: v.hi, Line: e.line,
		Column: e.column, Verdict: report.BudgetUndecided,
		Unit: map[kind]string{times: "ns", seconds: "s", fraction: "fraction"}[e.metric.kind]}
	if e.executable != "" {
		line.Executable = &e.executable
	}
	if v.why != "" {
		line.Why = &v.why
	}
	lo, hi := math.Inf(-1), math.Inf(1)
	if v.lo != nil {
		lo = *v.lo
	}
	if v.hi != nil {
		hi = *v.hi
	}
	known := v.lo != nil || v.hi != nil
	switch {
	case known && e.limit.outside(lo, hi):
		line.Verdict = report.BudgetBroken
		beyond, limit := lo-e.limit.hi, e.limit.hi
		if !e.limit.tooHigh(lo) {
			beyond, limit = e.limit.lo-hi, e.limit.lo
		}
		line.Beyond, line.Limit = &beyond, &limit
	case known && !v.lossy && e.limit.within(lo, hi):
		line.Verdict = report.BudgetHeld
	}
	return line
}
