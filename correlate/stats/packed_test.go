package stats

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestPackedEqualsTheHistogram: parts that are packed and put together in any order equal one histogram
// that got all their values.
func TestPackedEqualsTheHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var whole Histogram
	parts := make([]Histogram, 9) // the last stays empty
	for range 20_000 {
		v := int64(math.Exp(rng.Float64() * math.Log(1e13))) // up to more than an hour, the last bucket
		whole.Add(v)
		parts[rng.IntN(len(parts)-1)].Add(v)
	}
	for _, v := range []int64{0, 1, maxValue, maxValue + 1, math.MaxInt64 >> 12} {
		whole.Add(v)
		parts[0].Add(v)
	}
	for range 20 {
		var sum Packed
		for _, i := range rng.Perm(len(parts)) {
			p := parts[i].Pack()
			sum.Merge(&p)
		}
		if got := sum.Histogram(); !reflect.DeepEqual(got.Values(), whole.Values()) || got.N() != whole.N() ||
			got.Mean() != whole.Mean() || got.Min() != whole.Min() || got.Max() != whole.Max() {
			t.Fatalf("put together: n %d, mean %g, %d to %d; want %d, %g, %d to %d", got.N(), got.Mean(), got.Min(), got.Max(),
				whole.N(), whole.Mean(), whole.Min(), whole.Max())
		}
		if sum.N() != whole.N() || sum.Sum() != whole.sum {
			t.Fatalf("n %d, sum %g; want %d, %g", sum.N(), sum.Sum(), whole.N(), whole.sum)
		}
	}
}

// TestPackedIsItsOwn: a merge changes no distribution but its receiver.
func TestPackedIsItsOwn(t *testing.T) {
	var one, two Histogram
	one.Add(5)
	one.Add(1000)
	two.Add(7)
	two.Add(1000)
	a, b := one.Pack(), two.Pack()
	var x, y Packed
	x.Merge(&a)
	y.Merge(&a)
	x.Merge(&b)
	if y.N() != 2 || a.N() != 2 || !reflect.DeepEqual(a, one.Pack()) || !reflect.DeepEqual(b, two.Pack()) {
		t.Errorf("merging changed its parts: %v %v %v", a, b, y)
	}
	if h := x.Histogram(); h.N() != 4 || h.CountWithin(1000, 1000) != 2 {
		t.Errorf("got %v", x)
	}
	var none Histogram
	if p := none.Pack(); p.N() != 0 || !reflect.DeepEqual(p, Packed{}) {
		t.Errorf("nothing packs to %v", p)
	}
}

func BenchmarkPack(b *testing.B) {
	var h Histogram
	for i := range int64(1000) {
		h.Add(i * i)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Pack()
	}
}
