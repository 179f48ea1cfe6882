package contract

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/pinwatch/pinwatch/internal/unit"
)

const confidence = 0.95

// decideMedian is the undecided decision on a median, with which every test of a median begins. It
// returns false when there are too few values.
func decideMedian(s Sample) (decision, bool) {
	d := decision{n: s.N, statistic: "median", timing: true, got: "no sample"}
	if len(s.Values) < MinSamples {
		d.need = fmt.Sprintf("need %d samples, had %d", MinSamples, len(s.Values))
		if len(s.Values) > 0 {
			d.got = fmt.Sprintf("%s, n = %d", unit.Quantity(median(s), s.Unit), s.N)
		}
		return d, false
	}
	sum := benchmath.AssumeNothing.Summary(sampleOf(s.Values), confidence)
	d.interval = &Interval{Lo: sum.Lo, Hi: sum.Hi, Confidence: sum.Confidence, Unit: s.Unit}
	n := "n = " + unit.Count(s.N)
	if len(s.Medians) >= MinSamples { // as wide as the processes differ
		each := benchmath.AssumeNothing.Summary(sampleOf(s.Medians), confidence)
		d.interval.Lo, d.interval.Hi = min(sum.Lo, each.Lo), max(sum.Hi, each.Hi)
		d.interval.Confidence = min(sum.Confidence, each.Confidence)
		d.statistic = "median, and those of the processes"
		n += fmt.Sprintf(" of %d processes", len(s.Medians))
	}
	d.got = fmt.Sprintf("median %s (%s–%s), %s", unit.Quantity(sum.Center, s.Unit),
		unit.Quantity(d.interval.Lo, s.Unit), unit.Quantity(d.interval.Hi, s.Unit), n)
	return d, true
}

func sampleOf(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

// fastest is the upper end of the fastest tenth of the values. Nothing delayed those.
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

// share is the confidence interval of k in n: Clopper-Pearson's for none and all, the two cases
// that decide here, and Wilson's score interval between. It is nil without a try.
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
