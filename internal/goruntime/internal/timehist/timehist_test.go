package timehist

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"runtime/metrics"
	"testing"
)

// TestBounds compares the buckets with those of this program's runtime.
func TestBounds(t *testing.T) {
	s := []metrics.Sample{{Name: "/sched/pauses/stopping/other:seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	if len(h.Counts) != buckets+2 {
		t.Fatalf("%d buckets, the runtime has %d", buckets+2, len(h.Counts))
	}
	for i := range buckets {
		least, most := bounds(i)
		// The first bucket of the runtime has those below 0.
		if float64(least)/1e9 != h.Buckets[i+1] || float64(most)/1e9 != h.Buckets[i+2] {
			t.Errorf("bucket %d: %d to %d ns, the runtime has %v to %v s", i, least, most, h.Buckets[i+1], h.Buckets[i+2])
		}
	}
}

// at returns the bucket of a duration.
func at(ns int64) int {
	for i := range buckets {
		if least, most := bounds(i); least <= ns && ns < most {
			return i
		}
	}
	panic("no bucket")
}

func TestSince(t *testing.T) {
	const elapsed = 1e9
	var before Histogram
	before.counts[at(100)], before.counts[at(1e6)], before.underflow, before.overflow = 5, 7, 1, 2
	for name, tt := range map[string]struct {
		edit        func(*Histogram)
		all, longer Durations
		err         error
	}{
		"none": {func(*Histogram) {}, Durations{}, Durations{}, nil},
		"two": {func(h *Histogram) { h.counts[at(100)]++; h.counts[at(3e6)] += 2 },
			Durations{3, 64 + 2*2621440, 128 + 2*3145728, 2621440, 3145728}, Durations{2, 2 * 2621440, 2 * 3145728, 2621440,
				3145728}, nil},
		"1 ms is in a bucket that begins below": {func(h *Histogram) { h.counts[at(1e6)]++ },
			Durations{1, 917504, 1048576, 917504, 1048576}, Durations{}, nil},
		"clock went back": {func(h *Histogram) { h.underflow++ }, Durations{N: 1}, Durations{}, nil},
		"one began long before": {func(h *Histogram) { h.counts[at(20e9)]++ }, Durations{1, 17179869184, 21474836480,
			17179869184, 21474836480}, Durations{1, 17179869184, 21474836480, 17179869184, 21474836480}, nil},
		"fewer":             {func(h *Histogram) { h.counts[at(100)]-- }, Durations{}, Durations{}, ErrImplausible},
		"fewer below 0":     {func(h *Histogram) { h.underflow-- }, Durations{}, Durations{}, ErrImplausible},
		"longer than a day": {func(h *Histogram) { h.overflow++ }, Durations{}, Durations{}, ErrImplausible},
		"more than fit": {func(h *Histogram) { h.counts[at(1e6)] += 2000 }, Durations{}, Durations{},
			ErrImplausible},
		"more than fit, of kinds": {func(h *Histogram) { h.counts[at(1e6)] += 600; h.counts[at(2e6)] += 400 },
			Durations{}, Durations{}, ErrImplausible},
		"more than the time has": {func(h *Histogram) { h.counts[0] += elapsed + 2 }, Durations{}, Durations{},
			ErrImplausible},
		"all bits": {func(h *Histogram) { h.counts[0] = math.MaxUint64 }, Durations{}, Durations{},
			ErrImplausible},
		"all bits of the last one": {func(h *Histogram) { h.counts[buckets-1] = math.MaxUint64 }, Durations{}, Durations{},
			ErrImplausible},
	} {
		h := before
		tt.edit(&h)
		all, longer, err := h.Since(&before, elapsed, 1e6)
		if all != tt.all || longer != tt.longer || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v, %+v, %v; want %+v, %+v, %v", name, all, longer, err, tt.all, tt.longer, tt.err)
		}
	}
}

// TestRandomMemory: what is no histogram is refused.
func TestRandomMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, Size)
	for range 1000 {
		for i := range len(b) / 8 {
			binary.LittleEndian.PutUint64(b[8*i:], random.Uint64())
		}
		h := Decode(b)
		if _, _, err := h.Since(&Histogram{}, 1e9, 1e6); !errors.Is(err, ErrImplausible) {
			t.Fatalf("%v: %v", h, err)
		}
	}
}
