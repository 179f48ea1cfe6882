package contract

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// Within is fulfilled when the median of a sample is inside a range, ends included.
type Within struct {
	Sample  string
	Label   string // what is timed, where a statement has several samples; "" = one
	Lo, Hi  float64
	About   bool   // the specification writes "~": see about
	Effect  bool   // a claimed effect, not a cost: outside means refuted
	Paired  bool   // each value compares neighbours in CPU time: other load slows both alike
	Dropped string // the count of values that were left out; "" = none can be
}

// about is the part of an end with "~" that a cost may be beyond it and still be near it: "~30 µs"
// is not 30.000 µs. Medians of runs on one host drift by as much: those of exit(2) were 18.5, 15.4
// and 15.3 µs within an hour.
const about = 0.2

// Keys implements Test.
func (t Within) Keys() (counts, samples []string) {
	if t.Dropped != "" {
		counts = []string{t.Dropped}
	}
	return counts, []string{t.Sample}
}

func (t Within) decide(r *Record) decision {
	s := r.Samples[t.Sample]
	d, ok := decideMedian(s)
	if t.Label != "" {
		d.got = t.Label + ": " + d.got
	}
	if t.Dropped != "" {
		d.got += fmt.Sprintf(", %s dropped", unit.Count(r.Counts[t.Dropped]))
	}
	if !ok {
		return d
	}
	d.ruling = place(d.interval.Lo-s.Bias, d.interval.Hi, t.Lo, t.Hi, t.About)
	d.why = compared(d.interval.Lo, d.interval.Hi, t.Lo, t.Hi, s.Unit)
	d.despiteLoad = d.interval.Hi < t.Lo || fastest(s)-s.Bias > t.Hi
	switch {
	case t.Effect && d.ruling == outside:
		d.ruling, d.despiteLoad = broken, t.Paired
	case t.Effect && d.ruling == across:
		d.ruling, d.need = undecided, "the interval of the median crosses an end of the range: more samples"
	case d.ruling == across:
		d.need = t.nearEnd(d.interval.Lo-s.Bias, d.interval.Hi, s)
		d.despiteLoad = d.interval.Hi <= t.Hi/(1+about) // near the lower end, where no load brings it
	}
	return d
}

// nearEnd words why a cost is neither inside nor outside.
func (t Within) nearEnd(lo, hi float64, s Sample) string {
	end := t.Hi
	if lo < t.Lo*(1+about) && lo < t.Hi/(1+about) {
		end = t.Lo
	}
	why := "its interval lies across " + unit.Quantity(end, s.Unit)
	if t.About {
		why = fmt.Sprintf("it is near %s: not a fifth inside the range, nor a fifth outside", "~"+unit.Quantity(end, s.Unit))
	}
	if s.Bias > 0 && hi > t.Hi {
		why += "; pinwatch's overhead is " + unit.Quantity(s.Bias, s.Unit) + " of it"
	}
	return why
}

// compared words how an interval compares with a range.
func compared(lo, hi, least, most float64, name string) string {
	is := unit.Quantity(lo, name) + "–" + unit.Quantity(hi, name)
	times := func(end float64) string {
		return fmt.Sprintf("%s is %s–%s times %s", is, unit.Digits(lo/end), unit.Digits(hi/end), unit.Quantity(end, name))
	}
	switch {
	case name == "ratio" && hi < least: // how many times a ratio is another is no size that one knows
		return is + " is below " + unit.Quantity(least, name)
	case name == "ratio" && lo > most:
		return is + " is above " + unit.Quantity(most, name)
	case name == "ratio" && math.IsInf(most, 1) && lo >= least:
		return is + " is above " + unit.Quantity(least, name)
	case lo > most:
		return times(most)
	case hi < least:
		return times(least)
	case least == 0 && lo >= 0 && hi <= most:
		return is + " is below " + unit.Quantity(most, name)
	case math.IsInf(most, 1) && lo >= least:
		return times(least)
	case lo >= least && hi <= most:
		return is + " lies in " + unit.Quantity(least, name) + "–" + unit.Quantity(most, name)
	}
	return ""
}

// place compares an interval with a range. With near, an interval must be inside or outside by more
// than about.
func place(lo, hi, least, most float64, near bool) ruling {
	in, out := 1.0, 1.0
	if near {
		in, out = 1/(1+about), 1+about
	}
	switch {
	case lo > most*out, hi < least/out:
		return outside
	case lo >= least/in && hi <= most*in:
		return fulfilled
	}
	return across
}

// Measured is the median of a sample, which decides nothing.
type Measured struct{ Sample, Label string }

// Keys implements Test.
func (t Measured) Keys() (counts, samples []string) { return nil, []string{t.Sample} }

func (t Measured) decide(r *Record) decision {
	d, ok := decideMedian(r.Samples[t.Sample])
	d.got = t.Label + ": " + d.got
	if ok {
		d.ruling = fulfilled
	}
	return d
}

// Bounded is fulfilled when two bounds of one cost allow only values inside a range, whose ends the
// specification writes with "~".
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
	d.ruling = place(least, upper.interval.Hi, t.Lo, t.Hi, true)
	d.why = compared(d.interval.Lo, d.interval.Hi, t.Lo, t.Hi, name)
	d.despiteLoad = upper.interval.Hi < t.Lo || fastest(r.Samples[t.Lower])-r.Samples[t.Lower].Bias > t.Hi
	switch {
	case d.ruling != across:
	case least >= t.Lo/(1+about) && upper.interval.Hi <= t.Hi*(1+about):
		d.need = "both bounds are in the range or near its ends"
	default:
		d.ruling, d.need = undecided, "the two bounds leave it open"
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
		if median(b) > 0 {
			d.why = unit.Digits(median(a)/median(b)) + " times"
		}
	case c.P <= c.Alpha && median(a) == median(b) && mostlyAbove(a.Values, b.Values):
		d.ruling, d.why = fulfilled, "the medians are equal, but its values are larger"
	case c.P <= c.Alpha, min(len(a.Values), len(b.Values)) >= t.Least:
		d.ruling = broken
	default:
		d.need = fmt.Sprintf("need %d samples of each to call them equal", t.Least)
	}
	return d
}

// mostlyAbove reports whether a value of a is more often above one of b than below it, as the
// Mann-Whitney test counts. The medians of values that a histogram has rounded can be equal.
func mostlyAbove(a, b []float64) bool {
	balance := 0
	for _, x := range a {
		for _, y := range b {
			balance += cmp.Compare(x, y)
		}
	}
	return balance > 0
}

// Tail is fulfilled when surely no more than one of a hundred values passes a limit that the
// specification writes with "~": the 99th percentile is inside it.
type Tail struct {
	Sample string
	Limit  float64
}

// tail is the share of values that may pass a limit.
const tail = 0.01

// Keys implements Test.
func (t Tail) Keys() (counts, samples []string) { return nil, []string{t.Sample} }

func (t Tail) decide(r *Record) decision {
	s := r.Samples[t.Sample]
	d := decision{n: s.N, statistic: "99th percentile, and the share that was late", timing: true, got: "no sample"}
	if len(s.Values) == 0 {
		d.need = "no sample"
		return d
	}
	v := slices.Sorted(slices.Values(s.Values))
	late, far := 0, 0
	for _, x := range v {
		if x-s.Bias > t.Limit {
			late++
		}
		if x-s.Bias > t.Limit*(1+about) {
			far++
		}
	}
	n := int64(len(v))
	d.interval = share(int64(late), n)
	d.got = fmt.Sprintf("p99 %s, median %s, %d of %s later than %s", unit.Quantity(v[int(0.99*float64(n-1)+0.5)], s.Unit),
		unit.Quantity(median(s), s.Unit), late, unit.Count(n), unit.Quantity(t.Limit, s.Unit))
	switch {
	case d.interval.Hi <= tail:
		d.ruling = fulfilled
	case share(int64(far), n).Lo > tail:
		d.ruling, d.late = outside, d.interval
	case float64(late) <= tail*float64(n):
		d.need = fmt.Sprintf("%s values are too few to say that fewer than 1 in 100 are late", unit.Count(n))
	default:
		d.ruling, d.need = across, "about 1 in 100 is late"
	}
	return d
}

// Spread is fulfilled when the largest value of a sample is many times its median, and broken when
// that of many values is not.
type Spread struct {
	Sample string
	Times  float64
	Least  int64
}

// Keys implements Test.
func (t Spread) Keys() (counts, samples []string) { return nil, []string{t.Sample} }

func (t Spread) decide(r *Record) decision {
	s := r.Samples[t.Sample]
	d := decision{n: s.N, statistic: "maximum by median", timing: true}
	if s.N == 0 {
		d.need, d.got = "no sample", "no sample"
		return d
	}
	most, mid := slices.Max(s.Values), median(s)
	d.got = fmt.Sprintf("longest %s, median %s, n = %s", unit.Quantity(most, s.Unit), unit.Quantity(mid, s.Unit),
		unit.Count(s.N))
	switch {
	case most-s.Bias >= t.Times*mid:
		d.ruling = fulfilled
	case s.N < t.Least:
		d.need = fmt.Sprintf("need %s samples, had %s", unit.Count(t.Least), unit.Count(s.N))
	default:
		d.ruling = broken
	}
	return d
}
