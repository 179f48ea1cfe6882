package stats

import (
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Packed is the distribution of a Histogram in as much memory as it has buckets with values: 16 bytes
// for each, some 1 KiB for most. It is for very many distributions that are only put together. The
// zero value has no values.
type Packed struct {
	n        int64
	sum      float64
	min, max int64
	buckets  []bucket // ascending; never changed, so that copies may share them
}

// bucket is a bucket of a Histogram: its lowest value, and how many values are in it.
type bucket struct{ from, n int64 }

// Pack returns the distribution of the values so far.
func (h *Histogram) Pack() Packed {
	p := Packed{n: h.n, sum: h.sum, min: h.min, max: h.max}
	if h.n == 0 {
		return Packed{}
	}
	h.filled(func(of hdrhistogram.Bar) { p.buckets = append(p.buckets, bucket{of.From, of.Count}) })
	p.buckets = slices.Clip(p.buckets)
	return p
}

// N returns the number of values.
func (p *Packed) N() int64 { return p.n }

// Sum returns the sum of all values, exactly while it is below 2^53.
func (p *Packed) Sum() float64 { return p.sum }

// Merge adds all values of another distribution.
func (p *Packed) Merge(o *Packed) {
	if o.n == 0 {
		return
	}
	if p.n == 0 {
		*p = *o
		return
	}
	p.n += o.n
	p.sum += o.sum
	p.min, p.max = min(p.min, o.min), max(p.max, o.max)
	sum, rest := make([]bucket, 0, len(p.buckets)+len(o.buckets)), o.buckets
	for _, b := range p.buckets {
		for len(rest) > 0 && rest[0].from < b.from {
			sum, rest = append(sum, rest[0]), rest[1:]
		}
		if len(rest) > 0 && rest[0].from == b.from {
			b.n, rest = b.n+rest[0].n, rest[1:]
		}
		sum = append(sum, b)
	}
	p.buckets = append(sum, rest...)
}

// Histogram returns the distribution as a Histogram: it equals one that got each value.
func (p *Packed) Histogram() (h Histogram) {
	h.AddSummary(p.n, p.sum, p.min, p.max)
	for _, b := range p.buckets {
		h.AddBucket(b.from, b.n)
	}
	return h
}
