package loader

import (
	"cmp"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Buffers are the sizes of the buffers in which records wait for user space.
type Buffers struct {
	TurnsPerCPU int // switch records in each CPU's ring

	rings     int // ring buffers for every kind but switches; each is shared by some CPUs
	shared    int // the CPUs that share one
	ringBytes int // of each
	cpus      int // with a ring of switch records: up to the last one that is online
	possible  int // CPUs that the kernel could have
	bankBytes int // of the sums by CPU of an aggregating session
}

// limitError means that the maps exceed the memory that pinwatch may use.
type limitError struct {
	bytes, limit uint64
	banks        uint64 // the part of bytes that aggregating takes
	threads      uint64 // the part that the state of threads takes
	by           string // what sets the limit
}

func (e *limitError) Error() string {
	remedy := "ask for less with --ring-size"
	switch {
	case e.banks > e.bytes/2:
		remedy = "on so many CPUs --aggregate takes most of it: leave it out"
	case e.threads > e.bytes/2:
		remedy = "the state of threads takes most of it: ask for a smaller table with --thread-entries"
	}
	return fmt.Sprintf("buffers and state of threads of %d MiB do not fit: %s leaves %d MiB; %s",
		e.bytes>>20, e.by, e.limit>>20, remedy)
}

const (
	turnBytes = int(unsafe.Sizeof(bpf.PinwatchTurn{}))

	// defaultBytes are 8 MiB for the ring buffers and 262,144 switch records: half a second of a
	// machine that only switches. Buffers are emptied fifty times per second.
	defaultBytes = 16 << 20
	// defaultTurns is the least number of turns per CPU by default. A CPU of a large machine may
	// then switch 200,000 times per second between two reads.
	defaultTurns = 1 << 12
	// sharedBy is the number of CPUs that share a ring buffer. Each waits for the others' records:
	// some 50 ns for the lock and its cache line.
	sharedBy = 16
	// defaultRing is the least size of a ring buffer by default: 16 CPUs that make and end 1,000
	// threads per second each, between two reads.
	defaultRing = 512 << 10
	// defaultShare is the part of the available memory that the default size does not exceed.
	defaultShare = 16
)

// sizeBuffers sizes the buffers for this machine, beside the room for threads. bytes of 0 means a
// size that suits it, cpus of 0 a ring of turns for each CPU up to the last one that is online,
// shared of 0 a ring buffer for sharedBy CPUs.
func sizeBuffers(bytes, cpus, shared int, aggregate bool, room Room) (Buffers, error) {
	possible, err := ebpf.PossibleCPU()
	if err != nil {
		return Buffers{}, fmt.Errorf("count CPUs: %w", err)
	}
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return Buffers{}, fmt.Errorf("list CPUs: %w", err)
	}
	limit, by := memoryLimit()
	b := divideBuffers(bytes, cmp.Or(cpus, ringCPUs(string(online), possible)), cmp.Or(shared, sharedBy), possible,
		aggregate, limit)
	if n := b.bytes() + room.bytes(); n > limit {
		return b, &limitError{bytes: n, limit: limit, banks: uint64(b.bankBytes), threads: room.bytes(), by: by}
	}
	return b, nil
}

// ringCPUs is the number of CPUs that get a ring. A machine may have a hundred times as many
// possible CPUs as it has CPUs.
func ringCPUs(online string, possible int) int {
	if cpus := procfs.ParseCPUs(strings.TrimSpace(online)); len(cpus) > 0 {
		return min(possible, slices.Max(cpus)+1)
	}
	return possible
}

// divideBuffers divides bytes among the ring buffers, which get half, and the CPUs. All sizes are
// powers of two. None is larger than requested, unless it would be less than a page or than the
// fewest turns a ring can hold.
func divideBuffers(bytes, cpus, shared, possible int, aggregate bool, limit uint64) Buffers {
	rings := ceilPower((cpus + shared - 1) / shared)
	least, leastRing := int(bpf.PinwatchRingLayoutRING_PARTS), unix.Getpagesize()
	if bytes <= 0 {
		bytes = int(min(uint64(defaultBytes), limit/defaultShare))
		least, leastRing = defaultTurns, min(defaultRing, floorPower(bytes/2))
	}
	b := Buffers{
		TurnsPerCPU: max(least, floorPower(bytes/2/turnBytes/cpus)),
		rings:       rings,
		shared:      shared,
		ringBytes:   max(unix.Getpagesize(), leastRing, floorPower(bytes/2/rings)),
		cpus:        cpus,
		possible:    possible,
	}
	if aggregate {
		b.bankBytes = sampleBanks(cpus)*int(unsafe.Sizeof(bpf.PinwatchSamples{})) +
			moveBanks(cpus)*int(unsafe.Sizeof(bpf.PinwatchMoves{})) +
			distanceLines(cpus)*int(unsafe.Sizeof(bpf.PinwatchDistanceLine{}))
	}
	return b
}

// bytes is the memory that the kernel will allocate.
func (b Buffers) bytes() uint64 {
	const slotBytes = int(unsafe.Sizeof(bpf.PinwatchCpuSlot{}))
	return uint64(b.rings*b.ringBytes + b.cpus*b.TurnsPerCPU*turnBytes + b.bankBytes + b.possible*slotBytes)
}

// sampleBanks and moveBanks are the entries of an aggregating session's banks: samples by CPU and
// kind, moves by CPU. There are two banks of each: user space reads the one that no program writes
// to.
func sampleBanks(cpus int) int { return 2 * cpus * int(bpf.PinwatchSampleOfSAMPLE_OFS) }
func moveBanks(cpus int) int   { return 2 * cpus }

// distanceLines are the lines that hold a byte for each pair of CPUs.
func distanceLines(cpus int) int {
	const pairs = int(unsafe.Sizeof(bpf.PinwatchDistanceLine{}))
	return (cpus*cpus + pairs - 1) / pairs
}

// floorPower is the largest power of two up to n; 0 for n < 1.
func floorPower(n int) int {
	if n < 1 {
		return 0
	}
	return 1 << (bits.Len(uint(n)) - 1)
}

// Room is the number of threads whose state the kernel side can keep. A thread beyond it is
// untracked: its switches are counted, but not recorded.
type Room struct {
	Table    int // by tid, for most threads
	Overflow int // for threads whose place there is taken
}

// bytes is the memory that the kernel will allocate. An entry of a hash table has 56 bytes more
// than the value (kernel/bpf/hashtab.c, struct htab_elem).
func (r Room) bytes() uint64 {
	const state = int(unsafe.Sizeof(bpf.PinwatchThreadState{}))
	return uint64(r.Table*state) + uint64(r.Overflow*(state+56))
}

// leastThreads is the least room in both tables: more threads than the Go runtime allows a program
// by default (runtime/debug.SetMaxThreads).
const leastThreads = 1 << 14

// MaxThreads is the largest size of the table of threads: no kernel has more
// (include/linux/threads.h, PID_MAX_LIMIT).
const MaxThreads = 1 << 22

// sizeRoom makes room for the threads that the process has, and for half as many again whose tids
// follow: the kernel allocates both tables whole. Threads with tids in a row never share a place.
// Tids taken at random do: of as many threads as the table has places, the overflow must take 37 %.
func sizeRoom(threads int) Room {
	table := max(leastThreads, ceilPower(threads))
	return Room{Table: table, Overflow: max(leastThreads, table/2)}
}

// Next is the size of a larger table with a place for so many threads: the next
// Config.ThreadEntries to try.
func (r Room) Next(threads uint64) int {
	return min(max(2*r.Table, ceilPower(int(threads))), MaxThreads)
}

// ceilPower is the smallest power of two from n on.
func ceilPower(n int) int { return max(1, 2*floorPower(n-1)) }

// setSizes gives the maps their sizes, and the programs the constants that depend on them.
func (k *kernelSide) setSizes(b Buffers, aggregate bool, room Room) error {
	k.Rings.MaxEntries = uint32(b.rings)
	k.Rings.InnerMap.MaxEntries = uint32(b.ringBytes)
	k.Turns.MaxEntries = uint32(b.cpus * b.TurnsPerCPU)
	k.CpuSlots.MaxEntries = uint32(b.possible)
	k.ThreadTable.MaxEntries = uint32(room.Table)
	k.ThreadOverflow.MaxEntries = uint32(room.Overflow)
	settings := []setting{
		{k.RingSize, uint32(b.ringBytes)},
		{k.RingMask, uint32(b.rings - 1)},
		{k.RingShift, uint32(bits.Len(uint(b.shared)) - 1)},
		{k.TurnsPerCpu, uint32(b.TurnsPerCPU)},
		{k.ThreadMask, uint32(room.Table - 1)},
		{k.OverflowRoom, uint32(room.Overflow)},
		{k.RingCpus, uint32(b.cpus)},
	}
	if aggregate {
		k.SampleBanks.MaxEntries = uint32(sampleBanks(b.cpus))
		k.MoveBanks.MaxEntries = uint32(moveBanks(b.cpus))
		k.CpuDistances.MaxEntries = uint32(distanceLines(b.cpus))
		settings = append(settings, setting{k.Aggregate, true})
	}
	return set(settings...)
}

// setDelays sets the waits that are delays, by CPU.
func (k *kernelSide) setDelays(cpus int, isolated []int) error {
	for cpu := range cpus {
		slot := bpf.PinwatchCpuSlot{DelayNs: uint64(bpf.PinwatchConfigLimitDELAY_NS)}
		if slices.Contains(isolated, cpu) {
			slot.DelayNs = 0
		}
		k.CpuSlots.Contents = append(k.CpuSlots.Contents, ebpf.MapKV{Key: uint32(cpu), Value: slot})
	}
	return nil
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
