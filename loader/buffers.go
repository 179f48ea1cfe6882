package loader

import (
	"fmt"
	"math/bits"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// Buffers are the sizes of the buffers in which records wait for user space.
type Buffers struct {
	TurnsPerCPU int // switch records in each CPU's ring

	ringBytes int // of the ring buffer that all CPUs share, for every kind but switches
	cpus      int // possible CPUs
	bankBytes int // of the per-CPU sums of an aggregating session
}

// limitError means that the requested buffers exceed the memory that pinwatch may use.
type limitError struct {
	bytes, limit uint64
	banks        uint64 // the part of bytes that aggregating takes
	by           string // what sets the limit
}

func (e *limitError) Error() string {
	remedy := "ask for less with --ring-size"
	if e.banks > e.bytes/2 {
		remedy = "on so many CPUs --aggregate takes most of it: leave it out"
	}
	return fmt.Sprintf("buffers of %d MiB do not fit: %s leaves %d MiB; %s", e.bytes>>20, e.by, e.limit>>20, remedy)
}

const (
	turnBytes = int(unsafe.Sizeof(bpf.PinwatchTurn{}))

	// defaultBytes are 8 MiB for the ring buffer and 262,144 switch records: half a second of a
	// machine that only switches. Buffers are emptied fifty times per second.
	defaultBytes = 16 << 20
	// defaultTurns is the least number of turns per CPU by default. A CPU of a large machine may
	// then switch 200,000 times per second between two reads.
	defaultTurns = 1 << 12
	// defaultShare is the part of the available memory that the default size does not exceed.
	defaultShare = 16
)

// sizeBuffers divides bytes among the ring buffer, which gets half, and the CPUs. bytes of 0 means
// a size that suits this machine. All sizes are powers of two. None is larger than requested,
// unless it would be less than a page or than the fewest turns a ring can hold.
func sizeBuffers(bytes int, aggregate bool) (Buffers, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return Buffers{}, fmt.Errorf("count CPUs: %w", err)
	}
	limit, by := memoryLimit()
	least := int(bpf.PinwatchRingLayoutRING_PARTS)
	if bytes <= 0 {
		bytes = int(min(uint64(defaultBytes), limit/defaultShare))
		least = defaultTurns
	}
	b := Buffers{
		TurnsPerCPU: max(least, floorPower(bytes/2/turnBytes/cpus)),
		ringBytes:   max(unix.Getpagesize(), floorPower(bytes/2)),
		cpus:        cpus,
	}
	if aggregate {
		b.bankBytes = sampleBanks(cpus)*int(unsafe.Sizeof(bpf.PinwatchSamples{})) +
			moveBanks(cpus)*int(unsafe.Sizeof(bpf.PinwatchMoves{}))
	}
	if n := b.bytes(); n > limit {
		return b, &limitError{bytes: n, limit: limit, banks: uint64(b.bankBytes), by: by}
	}
	return b, nil
}

// bytes is the memory that the kernel will allocate.
func (b Buffers) bytes() uint64 {
	return uint64(b.ringBytes) + uint64(b.cpus*b.TurnsPerCPU*turnBytes) + uint64(b.bankBytes)
}

// sampleBanks and moveBanks are the entries of an aggregating session's banks: samples by CPU and
// kind, moves by CPU before and CPU after. There are two banks of each: user space reads the one
// that no program writes to.
func sampleBanks(cpus int) int { return 2 * cpus * int(bpf.PinwatchSampleOfSAMPLE_OFS) }
func moveBanks(cpus int) int   { return 2 * cpus * cpus }

// floorPower is the largest power of two up to n; 0 for n < 1.
func floorPower(n int) int {
	if n < 1 {
		return 0
	}
	return 1 << (bits.Len(uint(n)) - 1)
}

// threadEntries is the size of the table that most threads' state is in, overflowEntries that of
// the table for threads with colliding tids. Threads beyond both are not observed: each of their
// switches counts as lost.
const (
	threadEntries   = 1 << 14
	overflowEntries = 1 << 14
)

// setSizes gives the maps their sizes, and the programs the constants that depend on them. entries
// is the size of the table of threads.
func (k *kernelSide) setSizes(b Buffers, aggregate bool, entries int) error {
	k.Ring.MaxEntries = uint32(b.ringBytes)
	k.Turns.MaxEntries = uint32(b.cpus * b.TurnsPerCPU)
	k.CpuSlots.MaxEntries = uint32(b.cpus)
	k.ThreadTable.MaxEntries = uint32(entries)
	k.ThreadOverflow.MaxEntries = overflowEntries
	settings := []setting{
		{k.RingSize, uint32(b.ringBytes)},
		{k.TurnsPerCpu, uint32(b.TurnsPerCPU)},
		{k.ThreadMask, uint32(entries - 1)},
	}
	if aggregate {
		k.SampleBanks.MaxEntries = uint32(sampleBanks(b.cpus))
		k.MoveBanks.MaxEntries = uint32(moveBanks(b.cpus))
		settings = append(settings, setting{k.Aggregate, true}, setting{k.CpuCount, uint32(b.cpus)})
	}
	return set(settings...)
}

// MinRate is the lowest Config.MaxRate: switch records per second.
const MinRate = 100

// setRate lets the CPUs share perSecond turns, window by window; 0 = no limit.
func (k *kernelSide) setRate(perSecond, cpus int) error {
	limit := int(int64(perSecond) * int64(bpf.PinwatchConfigLimitRATE_WINDOW_NS) / int64(time.Second))
	return set(
		setting{k.RateLimit, uint32(limit)},
		setting{k.RateChunk, uint32(min(64, max(1, limit/(8*cpus))))},
	)
}
