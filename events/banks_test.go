package events

import (
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pinwatch/pinwatch/bpf"
)

// The kernel's buckets are the histogram's: all values of one lie in the same bucket of the
// histogram.
func TestBucketsAreTheHistograms(t *testing.T) {
	h := hdrhistogram.New(1, 3600e9, 2)
	var b bpf.PinwatchSamples
	last := uint64(0)
	for i := range b.Buckets {
		v := bucketValue(i)
		if i > 0 && v <= last {
			t.Fatalf("bucket %d begins at %d, the one before at %d", i, v, last)
		}
		if i > 0 && h.ValuesAreEquivalent(int64(v), int64(v-1)) {
			t.Errorf("bucket %d begins at %d, which the histogram keeps together with %d", i, v, v-1)
		}
		if i > 0 && !h.ValuesAreEquivalent(int64(last), int64(v-1)) {
			t.Errorf("bucket %d from %d to %d is more than one of the histogram's", i-1, last, v-1)
		}
		last = v
	}
	if float64(last) < 60e9 {
		t.Errorf("the last bucket begins at %d ns already", last)
	}
}
