package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestEmpty(t *testing.T) {
	var h Histogram
	if h.N() != 0 || h.sum != 0 || h.Mean() != 0 || h.Min() != 0 || h.Max() != 0 || h.Quantile(0.5) != 0 {
		t.Errorf("the zero histogram is not all zeros: %+v", h)
	}
	if bars := h.Bars(10); bars != nil {
		t.Errorf("Bars of nothing = %v, want nil", bars)
	}
	if n := h.CountWithin(0, math.MaxInt64); n != 0 {
		t.Errorf("CountWithin of nothing = %d", n)
	}
	if h.buckets != nil {
		t.Error("reading nothing made buckets")
	}
}

// TestQuantileError compares with exact order statistics over seven decades.
func TestQuantileError(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	values := make([]int64, 19_997) // prime: no quantile falls on a whole rank
	var sum float64
	for i := range values {
		values[i] = int64(math.Exp(rng.Float64() * math.Log(10e9)))
		sum += float64(values[i])
		h.Add(values[i])
	}
	slices.Sort(values)
	for _, q := range []float64{0.0001, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999} {
		exact := values[int(math.Ceil(q*float64(len(values))))-1]
		got := h.Quantile(q)
		if off := math.Abs(float64(got-exact)) / float64(exact); off >= 0.01 {
			t.Errorf("Quantile(%g) = %d, exact %d: off by %.2f %%", q, got, exact, 100*off)
		}
	}
	if h.Quantile(0) != values[0] || h.Quantile(1) != values[len(values)-1] {
		t.Errorf("ends = %d, %d, want %d, %d", h.Quantile(0), h.Quantile(1), values[0], values[len(values)-1])
	}
	if h.sum != sum || h.Mean() != sum/float64(len(values)) {
		t.Errorf("sum, mean = %g, %g, want %g, %g", h.sum, h.Mean(), sum, sum/float64(len(values)))
	}
}

// TestQuantileOfFewValues: with few values the definition of the rank decides, not the width of a
// bucket.
func TestQuantileOfFewValues(t *testing.T) {
	for n := int64(1); n <= 60; n++ {
		var h Histogram
		for v := int64(1); v <= n; v++ {
			h.Add(v)
		}
		for _, q := range []float64{0.5, 0.9, 0.99} {
			if got, want := h.Quantile(q), int64(math.Ceil(q*float64(n))); got != want {
				t.Errorf("Quantile(%g) of 1…%d = %d, want %d", q, n, got, want)
			}
		}
	}
}

// TestQuantileStaysWithinTheData: a bucket's upper end lies above the only value in it.
func TestQuantileStaysWithinTheData(t *testing.T) {
	var h Histogram
	h.Add(1_000_001)
	for _, q := range []float64{-1, 0, 1e-9, 0.5, 0.999, 1, 2, math.NaN(), math.Inf(1)} {
		if got := h.Quantile(q); got != 1_000_001 {
			t.Errorf("Quantile(%g) = %d, want the only value", q, got)
		}
	}
}

func TestExtremes(t *testing.T) {
	var h Histogram
	h.Add(-5)
	h.Add(7)
	h.Add(math.MaxInt64)
	if h.N() != 3 || h.Min() != 0 || h.Max() != math.MaxInt64 {
		t.Errorf("n, min, max = %d, %d, %d", h.N(), h.Min(), h.Max())
	}
	if got := h.Quantile(0.5); got != 7 {
		t.Errorf("median = %d, want 7", got)
	}
	if got := h.Quantile(0.99); got < maxValue {
		t.Errorf("p99 = %d, want at least the largest value that has a bucket", got)
	}
	if h.sum != 7+float64(math.MaxInt64) {
		t.Errorf("sum = %g", h.sum)
	}
	checkBars(t, &h, 10)
}

// TestMerge: the sum of two halves is the whole.
func TestMerge(t *testing.T) {
	var whole, even, odd Histogram
	for v := int64(0); v < 100_000; v++ {
		whole.Add(v * v)
		[]*Histogram{&even, &odd}[v%2].Add(v * v)
	}
	var sum Histogram
	for _, h := range []*Histogram{&even, {}, &odd} {
		sum.Merge(h)
	}
	for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.999, 1} {
		if sum.Quantile(q) != whole.Quantile(q) {
			t.Errorf("Quantile(%g) = %d, want %d", q, sum.Quantile(q), whole.Quantile(q))
		}
	}
	if sum.N() != whole.N() || sum.Mean() != whole.Mean() || even.N() != 50_000 {
		t.Errorf("n, mean = %d, %g, want %d, %g; a half has %d", sum.N(), sum.Mean(), whole.N(), whole.Mean(), even.N())
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	var h Histogram
	h.Add(1)
	size := h.buckets.ByteSize()
	v := int64(1)
	if n := testing.AllocsPerRun(10_000, func() { h.Add(v); v = v*5/4 + 1 }); n != 0 {
		t.Errorf("Add allocates %g times", n)
	}
	if got := h.buckets.ByteSize(); got != size || got > 40<<10 {
		t.Errorf("buckets take %d bytes, %d after the first value", got, size)
	}
}

func BenchmarkAdd(b *testing.B) {
	var h Histogram
	for i := int64(0); b.Loop(); i++ {
		h.Add(i & 0xfffff)
	}
}

// A summary whose ends are mixed up has bars like any other.
func TestAddBadSummary(t *testing.T) {
	for _, least := range []int64{7, -1} {
		var h Histogram
		h.AddSummary(1, 7, least, 0)
		h.AddBucket(7, 1)
		if bars := h.Bars(10); h.Min() != 0 || h.Max() != 0 || len(bars) != 1 || bars[0].N != 1 {
			t.Errorf("least %d: from %d to %d, bars %v", least, h.Min(), h.Max(), bars)
		}
	}
}

// A histogram that gets its values by buckets equals one that gets each value.
func TestAddSummary(t *testing.T) {
	var each, summed Histogram
	values := []int64{3, 3, 200, 256, 257, 1000, 123456, 123457, 5e9}
	var sum float64
	for _, v := range values {
		each.Add(v)
		sum += float64(v)
	}
	summed.AddSummary(0, 0, 0, 0)
	if summed.N() != 0 || summed.Quantile(0.5) != 0 {
		t.Error("nothing is something")
	}
	summed.AddSummary(int64(len(values)), sum, 3, 5e9)
	for _, v := range values {
		summed.AddBucket(v, 1)
	}
	if summed.N() != each.N() || summed.Mean() != each.Mean() || summed.Min() != each.Min() || summed.Max() != each.Max() {
		t.Errorf("n %d, mean %g, %d to %d; want %d, %g, %d to %d", summed.N(), summed.Mean(), summed.Min(), summed.Max(),
			each.N(), each.Mean(), each.Min(), each.Max())
	}
	for _, q := range []float64{0, 0.1, 0.5, 0.9, 1} {
		if got, want := summed.Quantile(q), each.Quantile(q); got != want {
			t.Errorf("quantile %g: %d, want %d", q, got, want)
		}
	}
}
