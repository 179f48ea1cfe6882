package events

import (
	"errors"
	"fmt"
	"math"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// Banks reads the sums that an aggregating kernel side keeps by CPU (bpf/maps.h). There are two of
// each: the kernel adds to one while the other is read and cleared.
type Banks struct {
	mapped
	samples []bpf.PinwatchSamples // by bank, CPU and phase
	moves   []bpf.PinwatchMoves   // by bank, CPU before and CPU after
	cpus    int
}

// NewBanks maps the banks.
func NewBanks(samples, moves *ebpf.Map) (*Banks, error) {
	b := &Banks{cpus: int(samples.MaxEntries()) / 2 / sampleKinds}
	var err error
	if b.samples, err = mapMemory[bpf.PinwatchSamples](&b.mapped, samples, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return nil, fmt.Errorf("map sample banks: %w", err)
	}
	if b.moves, err = mapMemory[bpf.PinwatchMoves](&b.mapped, moves, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return nil, errors.Join(fmt.Errorf("map move banks: %w", err), b.Close())
	}
	return b, nil
}

const sampleKinds = int(bpf.PinwatchSampleOfSAMPLE_OFS)

// Read passes the sums of a bank, 0 or 1, to out as events of one moment, and clears the bank. The
// kernel must be adding to the other one. The event is only valid during the call.
func (b *Banks) Read(bank int, moment Time, out func(*Event)) {
	for of := range sampleKinds {
		b.readSamples(bank, of, moment, out)
	}
	for from := range b.cpus {
		for to := range b.cpus {
			m := &b.moves[(bank*b.cpus+from)*b.cpus+to]
			for why, n := range m.ByWhy {
				if n > 0 {
					out(&Event{Time: moment, Kind: Move, Args: [8]uint64{uint64(from), uint64(to), uint64(why), n}})
					m.ByWhy[why] = 0
				}
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
