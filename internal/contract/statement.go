package contract

import (
	"fmt"
	"slices"
)

// Sections of the specification, in its order, and one of facts beyond it.
const (
	Guarantees    = "guarantees"
	Performance   = "performance"
	Measurement   = "measurement"
	NonGuarantees = "non_guarantees"
	EdgeCases     = "edge_cases"
	Versions      = "versions"
	Platforms     = "platforms"
	Compliance    = "compliance"
	Review        = "review"
	Beyond        = "own"
)

// Sections lists them with their titles.
var Sections = []struct{ ID, Title string }{
	{Guarantees, "Guarantees"}, {Performance, "Performance"}, {Measurement, "Observability"}, {NonGuarantees,
		"Not guaranteed"},
	{EdgeCases, "Edge cases"}, {Versions, "Versions"}, {Platforms, "Platforms"}, {Compliance,
		"Compliance of a program"},
	{Review, "Review of a program"}, {Beyond, "Beyond the specification"},
}

// Statement is one claim of the specification, reworded, with the tests that decide it.
type Statement struct {
	ID      string
	Section string
	Claim   string // with numbers and units
	Scope   Scope
	Method  string // workload, instrument, statistic
	Refuter string // a result that would refute it
	Want    string // the claim as a measurement would read
	Clauses []Clause
	Seen    string // why a breach of it is seen by findings alone, by vet alone, or by neither; "" = by both
	Never   string // why pinwatch cannot test it on any machine; "" = it can
	Read    bool   // decided by reading the runtime's source, not by measuring
}

// Scope is where a statement applies. An empty field means everywhere.
type Scope struct {
	Since int // the first minor release of Go 1
	Until int // the last
	OS    string
	Arch  string
}

func (s Scope) String() string {
	text := "every Go release"
	switch {
	case s.Since > 0 && s.Until > 0:
		text = fmt.Sprintf("Go 1.%d to 1.%d", s.Since, s.Until)
	case s.Since > 0:
		text = fmt.Sprintf("Go 1.%d and newer", s.Since)
	case s.Until > 0:
		text = fmt.Sprintf("Go 1.%d and older", s.Until)
	}
	if s.OS != "" {
		text += ", " + s.OS
	}
	if s.Arch != "" {
		text += ", " + s.Arch
	}
	return text
}

// Subjects of statements.
const (
	OfRuntime  = "runtime"
	OfPinwatch = "pinwatch" // whether pinwatch reports the programs that break a line of a checklist
)

// Subject is what the statement's evidence judges.
func (s Statement) Subject() string {
	judges := func(c Clause) bool { return c.From != "programs" && c.From != "source" }
	if s.Clauses == nil || slices.ContainsFunc(s.Clauses, judges) {
		return OfRuntime
	}
	return OfPinwatch
}

// Role is the effect of a broken clause on the verdict.
type Role int

const (
	Claim     Role = iota // the statement falls with it
	Exception             // the statement holds except for it
	Support               // another instrument: the statement falls with it, and stands without it
	Witness               // it may happen: seen or not seen, and the statement stands either way
	Control               // a number to compare with; it decides nothing
)

// Clause is a part of a statement that one test decides.
type Clause struct {
	From   string // the experiment that measures its numbers
	Since  int    // the first minor release of Go 1 that has what it tests; 0 = every release
	Role   Role
	Test   Test
	Holds  string // the meaning of a fulfilled test, in one line
	Broken string // the meaning of a broken one
}

// Statements returns all statements in the specification's order.
func Statements() []Statement { return all }

var all = slices.Concat(guarantees, performance, measurement, nonGuarantees, edgeCases, versions, platforms, compliance,
	review, beyond)

// Find returns the statement with that id.
func Find(id string) (Statement, bool) {
	i := slices.IndexFunc(all, func(s Statement) bool { return s.ID == id })
	if i < 0 {
		return Statement{}, false
	}
	return all[i], true
}

// Experiments lists the experiments that decide the statement.
func (s Statement) Experiments() []string {
	var names []string
	for _, c := range s.Clauses {
		if !slices.Contains(names, c.From) {
			names = append(names, c.From)
		}
	}
	return names
}
