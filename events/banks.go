package events

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// Banks reads the sums that an aggregating kernel side keeps by CPU (bpf/maps.h). There are two of
// each: the kernel adds to one while the other is read and cleared.
type Banks struct {
	mapped
	samples []bpf.PinwatchSamples // by bank, CPU and phase
	moves   []bpf.PinwatchMoves   // by bank and CPU after
	cpus    int
}

// NewBanks maps the banks. It writes to distances how far each pair of CPUs is apart, by the words
// in Distances; a word that is not there is unknown.
func NewBanks(samples, moves, distances *ebpf.Map, distance func(from, to int) string) (*Banks, error) {
	b := &Banks{}
	mapAll := func() (err error) {
		const rw = unix.PROT_READ | unix.PROT_WRITE
		if b.samples, err = mapMemory[bpf.PinwatchSamples](&b.mapped, samples, rw); err != nil {
			return fmt.Errorf("map sample banks: %w", err)
		}
		if b.moves, err = mapMemory[bpf.PinwatchMoves](&b.mapped, moves, rw); err != nil {
			return fmt.Errorf("map move banks: %w", err)
		}
		var used mapped // the kernel's programs keep the map
		lines, err := mapMemory[bpf.PinwatchDistanceLine](&used, distances, rw)
		if err != nil {
			return fmt.Errorf("map distances: %w", err)
		}
		b.cpus = len(b.moves) / 2
		setDistances(lines, b.cpus, distance)
		return used.Close()
	}
	if err := mapAll(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func setDistances(lines []bpf.PinwatchDistanceLine, cpus int, distance func(from, to int) string) {
	for from := range cpus {
		for to := range cpus {
			pair := from*cpus + to
			of := max(0, slices.Index(Distances[:], distance(from, to)))
			lines[pair/len(lines[0].Of)].Of[pair%len(lines[0].Of)] = uint8(of)
		}
	}
}

const sampleKinds = int(bpf.PinwatchSampleOfSAMPLE_OFS)

// Read passes the sums of a bank, 0 or 1, to out as events of one moment, and clears the bank. The
// kernel must be adding to the other one. The event is only valid during the call. The time it
// takes is linear in the number of CPUs.
func (b *Banks) Read(bank int, moment Time, out func(*Event)) {
	for of := range sampleKinds {
		b.readSamples(bank, of, moment, out)
	}
	var all bpf.PinwatchMoves
	for cpu := range b.cpus {
		m := &b.moves[bank*b.cpus+cpu]
		for distance := range m.By {
			for why, n := range m.By[distance] {
				all.By[distance][why] += n
			}
		}
		*m = bpf.PinwatchMoves{}
	}
	for distance := range all.By {
		for why, n := range all.By[distance] {
			if n > 0 {
				out(&Event{Time: moment, Kind: Move, Args: [8]uint64{uint64(distance), uint64(why), n}})
			}
		}
	}
}

func (b *Banks) readSamples(bank, of int, moment Time, out func(*Event)) {
	all := bpf.PinwatchSamples{Least: math.MaxUint64}
	for cpu := range b.cpus {
		s := &b.samples[(bank*b.cpus+cpu)*sampleKinds+of]
		if s.N == 0 {
			continue
		}
		all.N += s.N
		all.Sum += s.Sum
		all.Least, all.Most = min(all.Least, s.Least-1), max(all.Most, s.Most)
		for i, n := range s.Buckets {
			all.Buckets[i] += n
		}
		*s = bpf.PinwatchSamples{}
	}
	if all.N == 0 {
		return
	}
	out(&Event{Time: moment, Kind: SampleTotal, Flags: uint8(of), Args: [8]uint64{all.N, all.Sum, all.Least, all.Most}})
	for i, n := range all.Buckets {
		if n > 0 {
			out(&Event{Time: moment, Kind: SampleBucket, Flags: uint8(of), Args: [8]uint64{bucketValue(i), n}})
		}
	}
}

// bucketValue returns the least value in a bucket (bpf/maps.h, enum sample_layout).
func bucketValue(i int) uint64 {
	const (
		first = int(bpf.PinwatchSampleLayoutSAMPLE_SINGLES)
		each  = int(bpf.PinwatchSampleLayoutSAMPLE_PER_DOUBLING)
	)
	if i < first {
		return uint64(i)
	}
	i -= first
	return uint64(each+i%each) << (i/each + 1)
}
