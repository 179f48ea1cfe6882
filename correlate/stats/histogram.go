// Package stats holds numbers and nothing else: distributions in constant memory and their
// summaries. No event, no thread and no unit occurs in it; callers name the unit where they print
// it.
package stats

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Resolution of a Histogram: values up to maxValue are kept in buckets no wider than 1 % of the
// value (two significant decimal digits; Tene's HDR histogram), so a quantile is off by less than 1
// %.
const (
	maxValue          = int64(3600e9) // one hour of nanoseconds; longer values count in the last bucket
	significantDigits = 2
)

// Histogram is the distribution of non-negative int64 values in constant memory: about 30 KiB once
// used, nothing before. N, Min and Max are exact, and so is Mean while the sum is below 2^53;
// quantiles are within 1 % of the value. The zero value is ready to use. A copy shares its buckets
// with the original: copy to read, never to add.
type Histogram struct {
	n        int64
	sum      float64
	min, max int64
	buckets  *hdrhistogram.Histogram
}

// Add records one value. Negative values are recorded as 0: the caller has mixed up the ends of an
// interval, which its validator reports.
func (h *Histogram) Add(v int64) {
	if v < 0 {
		v = 0
	}
	if h.buckets == nil { // a cost that never happens costs no memory
		h.init()
	}
	h.n++
	h.sum += float64(v)
	h.min = min(h.min, v)
	h.max = max(h.max, v)
	_ = h.buckets.RecordValue(min(v, maxValue)) // cannot fail: the value is within the range given to New
}

// AddSummary records n values of which only the sum, the least and the most are known. If least
// exceeds most, which no real values give, the smaller one counts as the least. Calls of AddBucket
// must follow, with the distribution of these n.
func (h *Histogram) AddSummary(n int64, sum float64, least, most int64) {
	if n <= 0 {
		return
	}
	if h.buckets == nil {
		h.init()
	}
	h.n += n
	h.sum += sum
	h.min, h.max = min(h.min, max(0, min(least, most))), max(h.max, most)
}

// AddBucket puts n values of an AddSummary into the bucket of v.
func (h *Histogram) AddBucket(v, n int64) {
	if h.buckets != nil {
		_ = h.buckets.RecordValues(min(v, maxValue), n) // cannot fail, as in Add
	}
}

func (h *Histogram) init() {
	h.buckets = hdrhistogram.New(1, maxValue, significantDigits)
	h.min = math.MaxInt64
}

// N returns the number of values recorded.
func (h *Histogram) N() int64 { return h.n }

// Min returns the smallest value recorded, exactly; 0 when there is none.
func (h *Histogram) Min() int64 { return h.min }

// Max returns the largest value recorded, exactly; 0 when there is none.
func (h *Histogram) Max() int64 { return h.max }

// Mean returns the mean of the values; 0 when there is none.
func (h *Histogram) Mean() float64 {
	if h.n == 0 {
		return 0
	}
	return h.sum / float64(h.n)
}

// Quantile returns the smallest recorded value that at least q·N values do not exceed, within 1 %;
// q outside (0, 1) means the nearer end. Quantile(0) is Min and Quantile(1) is Max, exactly, and
// every result lies between them. 0 when there is no value.
func (h *Histogram) Quantile(q float64) int64 {
	switch {
	case h.n == 0:
		return 0
	case q >= 1:
		return h.max
	case q > 0:
		n := float64(h.n)
		rank := math.Ceil(q * n) // the library would round to the nearest rank
		return h.clamp(h.buckets.ValueAtPercentile(100 * rank / n))
	}
	return h.min // also for NaN
}

// clamp moves a bucket's value to between Min and Max.
func (h *Histogram) clamp(v int64) int64 { return min(max(v, h.min), h.max) }

// Merge adds all values of another histogram.
func (h *Histogram) Merge(o *Histogram) {
	if o.n == 0 {
		return
	}
	if h.buckets == nil {
		h.init()
	}
	h.n += o.n
	h.sum += o.sum
	h.min, h.max = min(h.min, o.min), max(h.max, o.max)
	h.buckets.Merge(o.buckets) // drops nothing: the ranges are the same
}
