// Package contract holds the statements of the LockOSThread performance specification as data, and
// decides by evidence whether each is true. It measures nothing and prints nothing.
//
// A Statement has Clauses, and each clause has a Test that decides it by the Record of one
// experiment. Statement.Judge combines the decisions into an Outcome. Judge compares one cost of an
// observed program with the range of a statement.
package contract

import (
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
)

// Range is the range of one cost in the specification.
type Range struct {
	Statement string // the specification's number: P-8
	Phase     string // of correlate.Cost
	Lo, Hi    int64  // ns, both ends included
	Claim     string
}

// Ranges are the ranges of the costs that every observation measures.
var Ranges = []Range{rangeOf("P-8", "clone_syscall"), rangeOf("P-9", "exit"), rangeOf("P-5", "kernel")}

// rangeOf takes the range from the statement's test, so that it is written once.
func rangeOf(id, phase string) Range {
	s, _ := Find(id)
	r := Range{Statement: id, Phase: phase, Claim: s.Claim}
	for _, c := range s.Clauses {
		switch t := c.Test.(type) {
		case Within:
			r.Lo, r.Hi = int64(t.Lo), int64(t.Hi)
		case Bounded:
			r.Lo, r.Hi = int64(t.Lo), int64(t.Hi)
		}
	}
	return r
}

// OneHost is true for a statement about a cost that depends on the machine as much as on the kernel
// and the release: a verdict on it is one host's.
func (s Statement) OneHost() bool {
	return slices.ContainsFunc(Ranges, func(r Range) bool { return r.Statement == s.ID })
}

// RangeOf finds the range of a phase; false where the specification has none.
func RangeOf(statement, phase string) (Range, bool) {
	for _, r := range Ranges {
		if r.Statement == statement && r.Phase == phase {
			return r, true
		}
	}
	return Range{}, false
}

// Word is the result of comparing a number with a range.
type Word string

const (
	In     Word = "in"
	Below  Word = "below"
	Above  Word = "above"
	TooFew Word = "too_few" // fewer than MinSamples samples
	Open   Word = "open"    // a lower and an upper bound do not agree: the cost lies between them
)

// MinSamples is the least number of samples for a verdict on a median. With n independent samples
// the population's median lies outside [min, max] with probability 2·(1/2)^n; n = 6 is the first
// where that is below 5 % (golang.org/x/perf/benchmath requires the same six).
const MinSamples = 6

// Verdict is the comparison of a cost with a range.
type Verdict struct {
	Range  Range
	Word   Word
	Bound  string // as in correlate.Cost: "", "lower", "upper"
	N      int64
	Median int64   // ns, within 1 %; 0 when there is no sample
	Within float64 // share of the samples inside the range, 0 to 1; 0 when there is no sample
	Lossy  bool    // the run missed records: the rest proves nothing
}

// Judge compares the median of a cost with the specification's range for its phase; false where it
// has none. Loss is the whole run's. Skipped runs of programs leave a verdict as it is where the
// samples that are missing could not change it.
func Judge(c *correlate.Cost, loss correlate.Loss) (Verdict, bool) {
	r, ok := RangeOf(c.ID, c.Phase)
	if !ok {
		return Verdict{}, false
	}
	v := Verdict{Range: r, Bound: c.Bound, N: c.Hist.N(), Median: c.Hist.Quantile(0.5)}
	v.Lossy = loss.Lossy() || !v.proved(c, loss.Missing(c))
	if v.N > 0 {
		v.Within = float64(c.Hist.CountWithin(r.Lo, r.Hi)) / float64(v.N)
	}
	v.Word = r.word(v.Median)
	if v.N < MinSamples {
		v.Word = TooFew
	}
	return v, true
}

// word compares a median with the range.
func (r Range) word(median int64) Word {
	switch {
	case median < r.Lo:
		return Below
	case median > r.Hi:
		return Above
	}
	return In
}

// proved reports whether the word is the same wherever the missing samples would lie: all below the
// others, or all above.
func (v Verdict) proved(c *correlate.Cost, missing uint64) bool {
	if missing == 0 {
		return true
	}
	n, m := float64(v.N), float64(missing)
	return m < n && v.Range.word(c.Hist.Quantile((n-m)/(2*n))) == v.Range.word(c.Hist.Quantile((n+m)/(2*n)))
}

// Holds is true when the word is proved. It is not in a lossy run, and a bound proves one side
// only: a lower bound alone can prove "above", an upper bound alone "below".
func (v Verdict) Holds() bool {
	switch {
	case v.Lossy || v.Word == TooFew || v.Word == Open:
		return false
	case v.Bound == "lower":
		return v.Word == Above
	case v.Bound == "upper":
		return v.Word == Below
	}
	return true
}

// Between joins the verdicts on a lower and an upper bound of one cost. The word is the one that
// both allow; Open where they leave more than one, TooFew where either has too few samples. N,
// Median and Within are those of the upper bound.
func Between(lower, upper Verdict) Verdict {
	v := upper
	v.Bound = ""
	v.Lossy = lower.Lossy || upper.Lossy
	switch {
	case lower.Word == TooFew || upper.Word == TooFew:
		v.Word = TooFew
	case lower.Word == Above:
		v.Word = Above
	case upper.Word == Below, lower.Word == upper.Word:
		v.Word = upper.Word
	default:
		v.Word = Open
	}
	return v
}

// Lossy is true when a run missed records that a cost needs. A lossy run proves nothing. Broken
// links alone are no loss: the correlator leaves out the costs that depend on them.
func Lossy(l correlate.Loss) bool {
	return l.Any()
}
