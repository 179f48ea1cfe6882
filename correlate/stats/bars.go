package stats

import (
	"math"
	"sync"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bar counts the values of one stretch of a histogram, both ends included.
type Bar struct {
	Lo, Hi int64
	N      int64
}

// drawFrom is the quantile that the logarithmic scale of Bars begins at: a lone fast outlier must
// not squeeze all others into one bar.
const drawFrom = 0.001

// minStep is the least ratio of a bar's ends. Bars narrower than a few buckets would show gaps that
// are not in the data.
const minStep = 1.03

// Bars splits the values into at most n bars of equal width on a logarithmic scale from the 0.1 %
// quantile to Max, for drawing. The first bar also holds the values below the scale. Bars join
// without a gap, run from Min to Max and their counts add up to N; near its ends a bar may hold a
// neighbour's value that is within 1 %. Nil when there is no value or n < 1.
func (h *Histogram) Bars(n int) []Bar {
	if h.n == 0 || n < 1 {
		return nil
	}
	from := math.Log(float64(max(h.Quantile(drawFrom), 1)))
	span := math.Log(float64(max(h.max, 1))) - from
	n = max(1, min(n, int(span/math.Log(minStep))))

	bars := make([]Bar, 0, n)
	lo := h.min
	for i := 1; i <= n; i++ {
		hi := int64(math.Exp(from + span*float64(i)/float64(n)))
		if i == n {
			hi = h.max
		}
		if hi >= lo { // small whole numbers leave no room for every bar
			bars = append(bars, Bar{Lo: lo, Hi: hi})
			lo = hi + 1
		}
	}
	i := 0
	h.each(func(v, count int64) {
		for v > bars[i].Hi {
			i++
		}
		bars[i].N += count
	})
	return bars
}

// CountWithin returns the number of values v with lo ≤ v ≤ hi. Values within 1 % of an end may
// count on its other side.
func (h *Histogram) CountWithin(lo, hi int64) int64 {
	var n int64
	h.each(func(v, count int64) {
		if lo <= v && v <= hi {
			n += count
		}
	})
	return n
}

// SumUpTo returns the sum of all values, each of which counts as most if it is more. Values within 1
// % of most may count as their bucket.
func (h *Histogram) SumUpTo(most float64) (sum float64) {
	h.each(func(v, count int64) { sum += min(float64(v), most) * float64(count) })
	return sum
}

// each visits the buckets that hold values, ascending, with a value between Min and Max that stands
// for the bucket.
func (h *Histogram) each(visit func(v, count int64)) {
	if h.n == 0 {
		return
	}
	h.filled(func(b hdrhistogram.Bar) { visit(h.clamp(b.From+(b.To-b.From)/2), b.Count) })
}

// filled visits the buckets that hold values, ascending, where there is one. Distribution would first
// make a list of all that are empty, too: 100 KiB.
func (h *Histogram) filled(visit func(hdrhistogram.Bar)) {
	ranges := bucketRanges()
	for i, n := range h.buckets.Export().Counts {
		if n > 0 {
			visit(hdrhistogram.Bar{From: ranges[i].From, To: ranges[i].To, Count: n})
		}
	}
}

// bucketRanges are the buckets of every Histogram, in the order of Export's counts.
var bucketRanges = sync.OnceValue(func() []hdrhistogram.Bar {
	var h Histogram
	h.Add(maxValue) // the list ends with the last value
	return h.buckets.Distribution()
})

// Values returns all values, ascending, each within 1 % of the recorded one; Min and Max exactly.
func (h *Histogram) Values() []float64 {
	values := make([]float64, 0, h.n)
	h.each(func(v, count int64) {
		for range count {
			values = append(values, float64(v))
		}
	})
	if len(values) > 0 {
		values[0], values[len(values)-1] = float64(h.min), float64(h.max)
	}
	return values
}
