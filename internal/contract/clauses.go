package contract

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// Test decides one clause by the numbers of one record. The kinds below are all there are.
type Test interface {
	decide(*Record) finding
	Keys() (counts, samples []string) // that it looks at
}

// word is what a test has to say.
type word int

const (
	thin    word = iota // too little to say
	fine                // it holds
	broken              // it does not
	outside             // a cost is outside its range
)

// finding is a test's answer with the numbers it rests on.
type finding struct {
	word      word
	n         int64
	statistic string
	interval  *Interval
	got       string
	need      string // of thin: what is missing
	timing    bool   // it rests on times
	sure      bool   // company on the machine, which only makes things take longer, does not explain it
	absence   bool   // it rests on something not having been seen

	// wrong is, of tries that have to be in time, the share that was not. Company for that share of the time explains it.
	wrong *Interval
}

// Interval is a confidence interval of a statistic.
type Interval struct {
	Lo, Hi, Confidence float64
	Unit               string
}

const confidence = 0.95

// Never holds when none of many tries went bad. Seen, if named, counts the same thing where it is expected: without any the
// experiment was blind.
type Never struct {
	Bad, Of string
	Least   int64  // tries to be sure of anything
	Seen    string // the control
	Words   string // takes the counts of Bad and Of
	Timed   bool   // a busy machine can make it look broken
}

func (t Never) Keys() (counts, samples []string) {
	counts = []string{t.Bad, t.Of}
	if t.Seen != "" {
		counts = append(counts, t.Seen)
	}
	return counts, nil
}

func (t Never) decide(r *Record) finding {
	bad, of := r.Counts[t.Bad], r.Counts[t.Of]
	f := finding{n: of, statistic: "share", interval: share(bad, of), got: fmt.Sprintf(t.Words, unit.Count(bad), unit.Count(of)), absence: true, timing: t.Timed}
	switch {
	case bad > 0:
		f.word, f.absence = broken, false
		if t.Timed {
			f.wrong = share(bad, of)
		}
	case of < t.Least:
		f.need = fmt.Sprintf("need %s tries, had %s", unit.Count(t.Least), unit.Count(of))
	case t.Seen != "" && r.Counts[t.Seen] == 0:
		f.need = "the control never showed what is looked for, so its absence says nothing"
	default:
		f.word = fine
	}
	return f
}

// Always holds when every try of enough went well: the two counts are equal.
type Always struct {
	Good, Of string
	Least    int64
	Words    string // takes the counts of Good and Of
	Timed    bool   // a busy machine can make it look broken
}

func (t Always) Keys() (counts, samples []string) { return []string{t.Good, t.Of}, nil }

func (t Always) decide(r *Record) finding {
	good, of := r.Counts[t.Good], r.Counts[t.Of]
	f := finding{n: of, statistic: "share", interval: share(good, of), got: fmt.Sprintf(t.Words, unit.Count(good), unit.Count(of)), timing: t.Timed}
	switch {
	case of == 0 || good == of && of < t.Least:
		f.need = fmt.Sprintf("need %s tries, had %s", unit.Count(t.Least), unit.Count(of))
	case good != of:
		f.word, f.absence = broken, good < of // what is missing may have been lost
		if t.Timed {
			f.wrong = share(max(good, of)-min(good, of), max(good, of)) // more is as wrong as less
		}
	default:
		f.word = fine
	}
	return f
}

// Happens holds when it was seen at least once, and is broken when enough tries never showed it.
type Happens struct {
	Count, Of string
	Least     int64  // tries after which absence says something
	Words     string // takes both counts
}

func (t Happens) Keys() (counts, samples []string) { return []string{t.Count, t.Of}, nil }

func (t Happens) decide(r *Record) finding {
	n, of := r.Counts[t.Count], r.Counts[t.Of]
	f := finding{n: of, statistic: "share", interval: share(n, of), got: fmt.Sprintf(t.Words, unit.Count(n), unit.Count(of))}
	switch {
	case n > 0:
		f.word = fine
	case of < t.Least:
		f.need = fmt.Sprintf("need %s tries, had %s", unit.Count(t.Least), unit.Count(of))
	default:
		f.word, f.absence = broken, true
	}
	return f
}

// Varies holds when at least two outcomes were seen, and is broken when many runs all gave the same.
type Varies struct {
	Outcomes string // name in Record.Outcomes
	Least    int64
	Words    string // takes the number of different outcomes and of runs
}

func (t Varies) Keys() (counts, samples []string) { return nil, nil }

func (t Varies) decide(r *Record) finding {
	n, runs := int64(len(r.Outcomes[t.Outcomes])), int64(0)
	for _, times := range r.Outcomes[t.Outcomes] {
		runs += times
	}
	f := finding{n: runs, statistic: "distinct outcomes", got: fmt.Sprintf(t.Words, unit.Count(n), unit.Count(runs))}
	switch {
	case n > 1:
		f.word = fine
	case n == 0 || runs < t.Least:
		f.need = fmt.Sprintf("need %s runs that all give the same, had %s", unit.Count(t.Least), unit.Count(runs))
	default:
		f.word = broken
	}
	return f
}

// Within holds when the median of a sample is inside a range, ends included.
type Within struct {
	Sample string
	Label  string // what is timed, where a statement has several; "" = it needs no name
	Lo, Hi float64
	Effect bool // a claimed effect rather than a cost: outside means refuted
	Paired bool // each value compares neighbours in CPU time: company on the machine meets both alike
}

func (t Within) Keys() (counts, samples []string) { return nil, []string{t.Sample} }

func (t Within) decide(r *Record) finding {
	s := r.Samples[t.Sample]
	f, ok := medianOf(s)
	if t.Label != "" {
		f.got = t.Label + ": " + f.got
	}
	if !ok {
		return f
	}
	lo, hi := f.interval.Lo, f.interval.Hi
	switch {
	case lo > t.Hi && lo-s.Bias > t.Hi, hi < t.Lo:
		f.word = outside
		f.sure = hi < t.Lo || fastest(s)-s.Bias > t.Hi
		if t.Effect {
			f.word, f.sure = broken, t.Paired
		}
	case lo-s.Bias >= t.Lo && hi <= t.Hi:
		f.word = fine
	case lo > t.Hi:
		f.need = "without pinwatch's own part it may be inside: " + unit.Quantity(s.Bias, s.Unit)
	default:
		f.need = "the interval of the median crosses an end of the range: more samples"
	}
	return f
}

// Bounded holds when two bounds of one cost allow only values inside a range.
type Bounded struct {
	Lower, Upper string
	Lo, Hi       float64
}

func (t Bounded) Keys() (counts, samples []string) { return nil, []string{t.Lower, t.Upper} }

func (t Bounded) decide(r *Record) finding {
	lower, okLower := medianOf(r.Samples[t.Lower])
	upper, okUpper := medianOf(r.Samples[t.Upper])
	switch {
	case !okLower:
		return lower
	case !okUpper:
		return upper
	}
	name := r.Samples[t.Lower].Unit
	least := lower.interval.Lo - r.Samples[t.Lower].Bias // what is left of the lower bound without our own programs
	f := finding{n: min(lower.n, upper.n), statistic: "medians of both bounds", timing: true,
		interval: &Interval{Lo: max(0, least), Hi: upper.interval.Hi, Confidence: confidence, Unit: name}}
	f.got = fmt.Sprintf("median between %s and %s", unit.Quantity(f.interval.Lo, name), unit.Quantity(f.interval.Hi, name))
	switch {
	case least > t.Hi, upper.interval.Hi < t.Lo:
		f.word = outside
		f.sure = upper.interval.Hi < t.Lo || fastest(r.Samples[t.Lower])-r.Samples[t.Lower].Bias > t.Hi
	case least >= t.Lo && upper.interval.Hi <= t.Hi:
		f.word = fine
	default:
		f.need = "the two bounds leave it open"
	}
	return f
}

// Dearer holds when the values of one sample are larger than another's, by the Mann-Whitney test and by the median; it is broken when the
// difference goes the other way, or when enough samples show none.
type Dearer struct {
	Sample, Than string
	Least        int // values in each after which no difference is an answer
}

func (t Dearer) Keys() (counts, samples []string) { return nil, []string{t.Sample, t.Than} }

func (t Dearer) decide(r *Record) finding {
	a, b := r.Samples[t.Sample], r.Samples[t.Than]
	f, ok := medianOf(a)
	if !ok {
		return f
	}
	g, ok := medianOf(b)
	if !ok {
		return g
	}
	c := benchmath.AssumeNothing.Compare(sampleOf(a), sampleOf(b))
	f.statistic = "medians, Mann-Whitney U test"
	f.n = min(f.n, g.n)
	p := fmt.Sprintf("p = %.2g", c.P)
	if c.P < 1e-15 { // beyond what the test's normal approximation can tell
		p = "p < 1e-15"
	}
	f.got = fmt.Sprintf("%s against %s, %s", unit.Quantity(median(a), a.Unit), unit.Quantity(median(b), b.Unit), p)
	switch {
	case c.P <= c.Alpha && median(a) > median(b):
		f.word = fine
	case c.P <= c.Alpha, min(len(a.Values), len(b.Values)) >= t.Least:
		f.word = broken
	default:
		f.need = fmt.Sprintf("need %d samples of each to call them equal", t.Least)
	}
	return f
}

// Exceeds holds when at least one value of a sample passes a limit, and is broken when none of many does.
type Exceeds struct {
	Sample string
	Limit  float64
	Least  int64
}

func (t Exceeds) Keys() (counts, samples []string) { return nil, []string{t.Sample} }

func (t Exceeds) decide(r *Record) finding {
	s := r.Samples[t.Sample]
	f := finding{n: s.N, statistic: "maximum", timing: true}
	if s.N == 0 {
		f.need, f.got = "no sample", "no sample"
		return f
	}
	most := slices.Max(s.Values)
	f.got = fmt.Sprintf("longest %s, median %s, n = %s", unit.Quantity(most, s.Unit), unit.Quantity(median(s), s.Unit), unit.Count(s.N))
	switch {
	case most-s.Bias > t.Limit:
		f.word = fine
	case s.N < t.Least:
		f.need = fmt.Sprintf("need %s samples, had %s", unit.Count(t.Least), unit.Count(s.N))
	default:
		f.word = broken
	}
	return f
}

// medianOf is the finding that every test of a median begins with; false when there are too few values.
func medianOf(s Sample) (finding, bool) {
	f := finding{n: s.N, statistic: "median", timing: true, got: "no sample"}
	if len(s.Values) < MinSamples {
		f.need = fmt.Sprintf("need %d samples, had %d", MinSamples, len(s.Values))
		if len(s.Values) > 0 {
			f.got = fmt.Sprintf("%s, n = %d", unit.Quantity(median(s), s.Unit), s.N)
		}
		return f, false
	}
	sum := benchmath.AssumeNothing.Summary(sampleOf(s), confidence)
	f.interval = &Interval{Lo: sum.Lo, Hi: sum.Hi, Confidence: sum.Confidence, Unit: s.Unit}
	n := "n = " + unit.Count(s.N)
	if len(s.Medians) >= MinSamples { // as wide as the processes differ
		each := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(s.Medians), &benchmath.DefaultThresholds), confidence)
		f.interval.Lo, f.interval.Hi, f.interval.Confidence = min(sum.Lo, each.Lo), max(sum.Hi, each.Hi), min(sum.Confidence, each.Confidence)
		f.statistic = "median, and those of the processes"
		n += fmt.Sprintf(" of %d processes", len(s.Medians))
	}
	f.got = fmt.Sprintf("median %s (%s–%s), %s", unit.Quantity(sum.Center, s.Unit), unit.Quantity(f.interval.Lo, s.Unit), unit.Quantity(f.interval.Hi, s.Unit), n)
	return f, true
}

func sampleOf(s Sample) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(s.Values), &benchmath.DefaultThresholds)
}

// fastest is the tenth of the values that nothing delayed, at its upper end.
func fastest(s Sample) float64 {
	v := slices.Sorted(slices.Values(s.Values))
	return v[len(v)/10]
}

func median(s Sample) float64 {
	if len(s.Values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(s.Values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// share is the Clopper-Pearson interval of k in n for the two cases that decide here, none and all, and Wilson's score interval between;
// nil without a try.
func share(k, n int64) *Interval {
	if n <= 0 || k < 0 || k > n {
		return nil
	}
	i := &Interval{Confidence: confidence, Unit: "share"}
	switch least := math.Pow(1-confidence, 1/float64(n)); k { // of one side
	case 0:
		i.Lo, i.Hi = 0, 1-least
	case n:
		i.Lo, i.Hi = least, 1
	default:
		const z = 1.959964 // of both sides
		p, m := float64(k)/float64(n), float64(n)
		mid, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
		i.Lo, i.Hi = (mid-half)/(1+z*z/m), (mid+half)/(1+z*z/m)
	}
	return i
}
