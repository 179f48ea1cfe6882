package loader

import (
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// Buffers are the sizes of what records wait in for user space.
type Buffers struct {
	RingBytes   int // of the ring buffer, which all CPUs share: every kind but switches
	TurnsPerCPU int // switch records that each CPU's own ring holds
	CPUs        int // that are possible
	BankBytes   int // of what an aggregating session adds up by CPU
}

// LimitError says that the buffers asked for do not fit into the memory that pinwatch may use.
type LimitError struct {
	Bytes, Limit uint64
	Banks        uint64 // of Bytes, what adding up takes
	By           string // who sets the limit
}

func (e *LimitError) Error() string {
	what := "ask for less with --ring-size"
	if e.Banks > e.Bytes/2 {
		what = "on so many CPUs --aggregate takes most of it: leave it out"
	}
	return fmt.Sprintf("buffers of %d MiB do not fit: %s leaves %d MiB; %s", e.Bytes>>20, e.By, e.Limit>>20, what)
}

const (
	turnBytes = int(unsafe.Sizeof(bpf.PinwatchTurn{}))

	// defaultBytes are 8 MiB for the ring buffer and for 262,144 switch records: half a second of a machine that does nothing
	// else. Buffers are emptied fifty times in a second.
	defaultBytes = 16 << 20
	// leastTurns lets a CPU of a large machine switch 200,000 times per second between two reads.
	leastTurns = 1 << 12
	// Without being asked for more, the buffers take no more than this part of the memory there is.
	defaultShare = 16
)

// sizeBuffers divides bytes, or 0 for what suits this machine, among the ring buffer, which gets half, and the CPUs. All sizes are powers
// of two, none larger than asked for but where it would be less than a page or 8 turns.
func sizeBuffers(bytes int, aggregate bool) (Buffers, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return Buffers{}, fmt.Errorf("count CPUs: %w", err)
	}
	limit, by := memoryLimit()
	least := 8 // the last eighth is kept for the turns that matter most
	if bytes <= 0 {
		bytes = int(min(uint64(defaultBytes), limit/defaultShare))
		least = leastTurns
	}
	b := Buffers{
		RingBytes:   max(unix.Getpagesize(), floorPower(bytes/2)),
		TurnsPerCPU: max(least, floorPower(bytes/2/turnBytes/cpus)),
		CPUs:        cpus,
	}
	if aggregate {
		b.BankBytes = sampleBanks(cpus)*int(unsafe.Sizeof(bpf.PinwatchSamples{})) + moveBanks(cpus)*int(unsafe.Sizeof(bpf.PinwatchMoves{}))
	}
	if n := b.bytes(); n > limit {
		return b, &LimitError{Bytes: n, Limit: limit, Banks: uint64(b.BankBytes), By: by}
	}
	return b, nil
}

// bytes is what the kernel will allocate.
func (b Buffers) bytes() uint64 {
	return uint64(b.RingBytes) + uint64(b.CPUs*b.TurnsPerCPU*turnBytes) + uint64(b.BankBytes)
}

// Entries of the banks that an aggregating session adds up in: of samples by CPU and what they are of, of moves by CPU before and after.
// Both twice: user space reads the ones that nobody writes to.
func sampleBanks(cpus int) int { return 2 * cpus * int(bpf.PinwatchSampleOfSAMPLE_OFS) }
func moveBanks(cpus int) int   { return 2 * cpus * cpus }

// sizeBanks makes a collection an aggregating one.
func sizeBanks(spec *ebpf.CollectionSpec, variables map[string]any, cpus int) {
	spec.Maps["sample_banks"].MaxEntries = uint32(sampleBanks(cpus))
	spec.Maps["move_banks"].MaxEntries = uint32(moveBanks(cpus))
	variables["aggregate"] = true
	variables["cpu_count"] = uint32(cpus)
}

// floorPower is the largest power of two that is not more than n; 0 for less than 1.
func floorPower(n int) int {
	if n < 1 {
		return 0
	}
	return 1 << (bits.Len(uint(n)) - 1)
}

// Of threads with neighbouring tids, threadEntries find their state at once; overflowEntries more have it elsewhere. Threads beyond
// those are not seen: each of their switches counts as lost.
const (
	threadEntries   = 1 << 14
	overflowEntries = 1 << 14
)

// sizeMaps gives the maps of a collection their sizes, and the programs the constants that go with them. entries is threadEntries but
// in tests.
func sizeMaps(spec *ebpf.CollectionSpec, variables map[string]any, b Buffers, entries int) {
	spec.Maps["ring"].MaxEntries = uint32(b.RingBytes)
	spec.Maps["turns"].MaxEntries = uint32(b.CPUs * b.TurnsPerCPU)
	spec.Maps["cpu_slots"].MaxEntries = uint32(b.CPUs)
	spec.Maps["thread_table"].MaxEntries = uint32(entries)
	spec.Maps["thread_overflow"].MaxEntries = overflowEntries
	variables["ring_size"] = uint32(b.RingBytes)
	variables["turns_per_cpu"] = uint32(b.TurnsPerCPU)
	variables["thread_mask"] = uint32(entries - 1)
}

// MinRate is the least rate that can be limited to: switch records per second.
const MinRate = 100

// limitRate has the CPUs share perSecond turns, in tenths of a second; 0 = no limit.
func limitRate(variables map[string]any, perSecond, cpus int) {
	limit := perSecond / 10
	variables["rate_limit"] = uint32(limit)
	variables["rate_chunk"] = uint32(min(64, max(1, limit/(8*cpus))))
}
