package stats

import (
	"math"
	"slices"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestBars(t *testing.T) {
	for name, values := range map[string][]int64{
		"one value":           {5000},
		"zeros":               {0, 0, 0},
		"zero and one":        {0, 1},
		"small whole numbers": {1, 2, 2, 3, 3, 3, 4},
		"narrow":              {100_000, 100_100, 100_900, 101_000},
		"wide":                {1, 10, 100, 1000, 1e6, 1e9, 1e12},
		"beyond the buckets":  {10, math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			var h Histogram
			for _, v := range values {
				h.Add(v)
			}
			for _, n := range []int{1, 2, 10, 64} {
				checkBars(t, &h, n)
			}
		})
	}
}

func checkBars(t *testing.T, h *Histogram, n int) {
	t.Helper()
	bars := h.Bars(n)
	if len(bars) == 0 || len(bars) > n {
		t.Fatalf("Bars(%d) gives %d bars", n, len(bars))
	}
	if bars[0].Lo != h.Min() || bars[len(bars)-1].Hi != h.Max() {
		t.Errorf("Bars(%d) run from %d to %d, want %d to %d", n, bars[0].Lo, bars[len(bars)-1].Hi, h.Min(), h.Max())
	}
	var sum int64
	for i, b := range bars {
		sum += b.N
		if b.Lo > b.Hi || i > 0 && b.Lo != bars[i-1].Hi+1 {
			t.Errorf("Bars(%d)[%d] = %+v does not join %+v", n, i, b, bars[max(i-1, 0)])
		}
	}
	if sum != h.N() {
		t.Errorf("Bars(%d) hold %d values of %d", n, sum, h.N())
	}
}

// TestBarsAreLogarithmic: one value per decade gives equal bars.
func TestBarsAreLogarithmic(t *testing.T) {
	var h Histogram
	for _, v := range []int64{20, 200, 2000, 20_000, 200_000, 2_000_000} {
		h.Add(v)
	}
	for i, b := range h.Bars(6) {
		if want := int64(1); i == 0 && b.N != 1 || i > 0 && i < 4 && b.N != want {
			t.Errorf("bar %d (%d to %d) holds %d", i, b.Lo, b.Hi, b.N)
		}
	}
}

// TestBarsIgnoreALoneFastOutlier: 1 of 10,000 at 1 ns must not squeeze the rest into the last bars.
func TestBarsIgnoreALoneFastOutlier(t *testing.T) {
	var h Histogram
	h.Add(1)
	for i := range int64(10_000) {
		h.Add(10_000 + 10*i)
	}
	if b := h.Bars(10)[0]; b.Lo != 1 || b.Hi < 10_000 || b.N < 2 {
		t.Errorf("first bar = %+v, want it to hold the outlier and to end above 10,000", b)
	}
}

func TestCountWithin(t *testing.T) {
	var h Histogram
	for _, v := range []int64{10, 20, 30, 40_000, 50_000, 1e15} {
		h.Add(v)
	}
	for _, tt := range []struct{ lo, hi, want int64 }{
		{0, math.MaxInt64, 6}, {10, 30, 3}, {11, 29, 1}, {31, 39_000, 0}, {30_000, 60_000, 2}, {60, 20, 0},
	} {
		if got := h.CountWithin(tt.lo, tt.hi); got != tt.want {
			t.Errorf("CountWithin(%d, %d) = %d, want %d", tt.lo, tt.hi, got, tt.want)
		}
	}
}

// TestBucketRanges: the ranges of the buckets are the library's, in the order of the counts.
func TestBucketRanges(t *testing.T) {
	var h Histogram
	for v := int64(1); v < maxValue; v += 1 + v/3 {
		h.Add(v)
	}
	h.Add(maxValue)
	var got []hdrhistogram.Bar
	h.filled(func(b hdrhistogram.Bar) { got = append(got, b) })
	want := slices.DeleteFunc(h.buckets.Distribution(), func(b hdrhistogram.Bar) bool { return b.Count == 0 })
	if len(got) < 50 || !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
