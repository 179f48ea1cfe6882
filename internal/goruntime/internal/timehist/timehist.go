// Package timehist reads the histograms of durations that the Go runtime keeps (runtime/histogram.go,
// type timeHistogram). They are the same in Go 1.22 to 1.27. It is pure.
package timehist

import (
	"encoding/binary"
	"errors"
)

// The runtime's timeHistMinBucketBits, timeHistMaxBucketBits and timeHistSubBucketBits.
const (
	minBits = 9
	maxBits = 48
	subBits = 2
	buckets = (maxBits - minBits + 1) << subBits
)

// Size is that of a histogram in memory, in bytes.
const Size = 8 * (buckets + 2)

// A Histogram counts durations since the program began.
type Histogram struct {
	counts              [buckets]uint64
	underflow, overflow uint64 // below 0, and from 2^47 ns on: a day and a half
}

// Decode reads the Size bytes of a histogram in memory.
func Decode(b []byte) (h Histogram) {
	for i := range h.counts {
		h.counts[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	h.underflow = binary.LittleEndian.Uint64(b[8*buckets:])
	h.overflow = binary.LittleEndian.Uint64(b[8*(buckets+1):])
	return h
}

// bounds returns the durations that a bucket counts, ns: from least on, below most.
func bounds(bucket int) (least, most int64) {
	sub := int64(bucket & (1<<subBits - 1))
	width := int64(1) << (minBits - 1 - subBits)
	if bucket >>= subBits; bucket == 0 {
		return sub * width, (sub + 1) * width
	}
	width <<= bucket - 1
	least = width<<subBits + sub*width
	return least, least + width
}

// ErrImplausible means that the memory did not hold two histograms of one program.
var ErrImplausible = errors.New("the numbers in memory are not those of such a histogram")

// Durations are those that a histogram counted, as far as its buckets tell them apart, ns.
type Durations struct {
	N                         uint64
	Least, Most               int64 // their sum is between these
	LongestLeast, LongestMost int64 // and the longest of them between these
}

// Since returns the durations that were counted after before was read and until h was, and those
// among them whose bucket begins at long or above. They are of things that followed each other, in
// the elapsed ns between the two reads. Only the first may have begun earlier.
func (h *Histogram) Since(before *Histogram, elapsed, long int64) (all, longer Durations, err error) {
	for i, now := range h.counts {
		least, most := bounds(i)
		n := now - before.counts[i] // huge where the count went down
		if n == 0 {
			continue
		}
		if n > uint64(elapsed/max(least, 1))+1 {
			return Durations{}, Durations{}, ErrImplausible
		}
		all.add(n, least, most)
		if least >= long {
			longer.add(n, least, most)
		}
		if all.Least-least > elapsed {
			return Durations{}, Durations{}, ErrImplausible
		}
	}
	n := h.underflow - before.underflow // a clock went back: they took no time
	if n > uint64(elapsed)+1 || h.overflow != before.overflow {
		return Durations{}, Durations{}, ErrImplausible
	}
	all.N += n
	return all, longer, nil
}

// add adds n durations of a bucket that begins above those added before.
func (d *Durations) add(n uint64, least, most int64) {
	d.N += n
	d.Least, d.Most = d.Least+int64(n)*least, d.Most+int64(n)*most
	d.LongestLeast, d.LongestMost = least, most
}
