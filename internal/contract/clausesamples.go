package contract

import (
	"fmt"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// Within is fulfilled when the median of a sample is inside a range, ends included.
type Within struct {
	Sample string
	Label  string // what is timed, where a statement has several samples; "" = one
	Lo, Hi float64
	Effect bool // a claimed effect, not a cost: outside means refuted
	Paired bool // each value compares neighbours in CPU time: other load slows both alike
}

// Keys implements Test.
func (t Within) Keys() (counts, samples []string) { return nil, []string{t.Sample} }

func (t Within) decide(r *Record) decision {
	s := r.Samples[t.Sample]
	d, ok := decideMedian(s)
	if t.Label != "" {
		d.got = t.Label + ": " + d.got
	}
	if !ok {
		return d
	}
	lo, hi := d.interval.Lo, d.interval.Hi
	switch {
	case lo > t.Hi && lo-s.Bias > t.Hi, hi < t.Lo:
		d.ruling = outside
		d.despiteLoad = hi < t.Lo || fastest(s)-s.Bias > t.Hi
		if t.Effect {
			d.ruling, d.despiteLoad = broken, t.Paired
		}
	case lo-s.Bias >= t.Lo && hi <= t.Hi:
		d.ruling = fulfilled
	case lo > t.Hi:
		d.need = "without pinwatch's overhead it may be inside: " + unit.Quantity(s.Bias, s.Unit)
	default:
		d.need = "the interval of the median crosses an end of the range: more samples"
	}
	return d
}

// Bounded is fulfilled when two bounds of one cost allow only values inside a range.
type Bounded struct {
	Lower, Upper string
	Lo, Hi       float64
}

// Keys implements Test.
func (t Bounded) Keys() (counts, samples []string) { return nil, []string{t.Lower, t.Upper} }

func (t Bounded) decide(r *Record) decision {
	lower, okLower := decideMedian(r.Samples[t.Lower])
	upper, okUpper := decideMedian(r.Samples[t.Upper])
	switch {
	case !okLower:
		return lower
	case !okUpper:
		return upper
	}
	name := r.Samples[t.Lower].Unit
	least := lower.interval.Lo - r.Samples[t.Lower].Bias // the lower bound without pinwatch's programs
	d := decision{n: min(lower.n, upper.n), statistic: "medians of both bounds", timing: true,
		interval: &Interval{Lo: max(0, least), Hi: upper.interval.Hi, Confidence: confidence, Unit: name}}
	d.got = fmt.Sprintf("median between %s and %s", unit.Quantity(d.interval.Lo, name),
		unit.Quantity(d.interval.Hi, name))
	switch {
	case least > t.Hi, upper.interval.Hi < t.Lo:
		d.ruling = outside
		d.despiteLoad = upper.interval.Hi < t.Lo || fastest(r.Samples[t.Lower])-r.Samples[t.Lower].Bias > t.Hi
	case least >= t.Lo && upper.interval.Hi <= t.Hi:
		d.ruling = fulfilled
	default:
		d.need = "the two bounds leave it open"
	}
	return d
}

// Dearer is fulfilled when the values of one sample are larger than another's, by the Mann-Whitney
// test and by the median. It is broken when the difference has the other sign, or when enough
// samples show none.
type Dearer struct {
	Sample, Than string
	Least        int // values in each after which no difference is an answer
}

// Keys implements Test.
func (t Dearer) Keys() (counts, samples []string) { return nil, []string{t.Sample, t.Than} }

func (t Dearer) decide(r *Record) decision {
	a, b := r.Samples[t.Sample], r.Samples[t.Than]
	d, ok := decideMedian(a)
	if !ok {
		return d
	}
	than, ok := decideMedian(b)
	if !ok {
		return than
	}
	c := benchmath.AssumeNothing.Compare(sampleOf(a.Values), sampleOf(b.Values))
	d.statistic = "medians, Mann-Whitney U test"
	d.n = min(d.n, than.n)
	p := fmt.Sprintf("p = %.2g", c.P)
	if c.P < 1e-15 { // the test's normal approximation is not exact below
		p = "p < 1e-15"
	}
	d.got = fmt.Sprintf("%s against %s, %s", unit.Quantity(median(a), a.Unit), unit.Quantity(median(b), b.Unit), p)
	switch {
	case c.P <= c.Alpha && median(a) > median(b):
		d.ruling = fulfilled
	case c.P <= c.Alpha, min(len(a.Values), len(b.Values)) >= t.Least:
		d.ruling = broken
	default:
		d.need = fmt.Sprintf("need %d samples of each to call them equal", t.Least)
	}
	return d
}

// Exceeds is fulfilled when at least one value of a sample passes a limit, and broken when none of
// many does.
type Exceeds struct {
	Sample string
	Limit  float64
	Least  int64
}

// Keys implements Test.
func (t Exceeds) Keys() (counts, samples []string) { return nil, []string{t.Sample} }

func (t Exceeds) decide(r *Record) decision {
	s := r.Samples[t.Sample]
	d := decision{n: s.N, statistic: "maximum", timing: true}
	if s.N == 0 {
		d.need, d.got = "no sample", "no sample"
		return d
	}
	most := slices.Max(s.Values)
	d.got = fmt.Sprintf("longest %s, median %s, n = %s",
		unit.Quantity(most, s.Unit), unit.Quantity(median(s), s.Unit), unit.Count(s.N))
	switch {
	case most-s.Bias > t.Limit:
		d.ruling = fulfilled
	case s.N < t.Least:
		d.need = fmt.Sprintf("need %s samples, had %s", unit.Count(t.Least), unit.Count(s.N))
	default:
		d.ruling = broken
	}
	return d
}
