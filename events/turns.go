package events

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// turnRings are the switch records, one ring for each of the first CPUs (bpf/maps.h, turns). Each
// ring's records are in the order of their times.
type turnRings struct {
	slots   []bpf.PinwatchCpuSlot // of all possible CPUs
	records []bpf.PinwatchTurn
	perCPU  uint64
	cpus    int // with a ring
	mapped
}

// newTurnRings maps the rings for reading, each of perCPU records, and the slots with their
// positions, by CPU.
func newTurnRings(turns, slots *ebpf.Map, perCPU int) (*turnRings, error) {
	t := &turnRings{perCPU: uint64(perCPU), cpus: int(turns.MaxEntries()) / perCPU}
	records, err := mapMemory[bpf.PinwatchTurn](&t.mapped, turns, unix.PROT_READ)
	if err != nil {
		return nil, fmt.Errorf("map turns: %w", err)
	}
	t.records = records
	if t.slots, err = mapMemory[bpf.PinwatchCpuSlot](&t.mapped, slots, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Close()
		return nil, fmt.Errorf("map CPU slots: %w", err)
	}
	return t, nil
}

// mapped is the memory of mapped arrays of the kernel side.
type mapped [][]byte

// mapMemory maps the values of an array.
func mapMemory[T any](maps *mapped, m *ebpf.Map, protection int) ([]T, error) {
	var value T
	if unsafe.Sizeof(value) != uintptr(m.ValueSize()) {
		return nil, fmt.Errorf("values of %d bytes, want %d", m.ValueSize(), unsafe.Sizeof(value))
	}
	page := unix.Getpagesize()
	size := (int(m.MaxEntries())*int(m.ValueSize()) + page - 1) / page * page
	b, err := unix.Mmap(m.FD(), 0, size, protection, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	*maps = append(*maps, b)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), m.MaxEntries()), nil
}

// Layout of a turn's why_lock.
const (
	whyMask   = uint8(bpf.PinwatchTurnPackTURN_WHY_MASK)
	lockShift = bpf.PinwatchTurnPackTURN_LOCK_SHIFT
)

// drain passes on, CPU by CPU, the records that are there now and older than end; of one CPU no
// more than batch. It returns the time up to which nothing is left: end, unless a CPU had more than
// a batch; and how full the fullest ring was, from 0 to 1.
func (t *turnRings) drain(end Time, batch uint64, out func(*Event)) (complete Time, fill float64) {
	for cpu := range t.cpus {
		s := &t.slots[cpu]
		head := atomic.LoadUint64(&s.Head)
		fill = max(fill, float64(head-s.Tail)/float64(t.perCPU))
		if head-s.Tail > batch {
			end = min(end, Time(t.record(cpu, s.Tail+batch).Time))
		}
	}
	for cpu := range t.cpus {
		t.drainCPU(cpu, end, out)
	}
	return end, fill
}

func (t *turnRings) drainCPU(cpu int, end Time, out func(*Event)) {
	s := &t.slots[cpu]
	head, tail := atomic.LoadUint64(&s.Head), s.Tail
	if head == tail {
		return
	}
	var e Event
	for ; tail != head; tail++ {
		r := t.record(cpu, tail)
		if Time(r.Time) >= end {
			break
		}
		e = Event{
			Time: Time(r.Time), TID: r.Tid, CPU: uint16(cpu), Kind: Switch, Flags: r.Flags,
			Args: [8]uint64{
				uint64(r.RunNs), uint64(r.RunqNs), uint64(r.BlockedNs), uint64(r.Waker),
				uint64(uint16(r.LastCpu)), uint64(r.WhyLock & whyMask), uint64(r.WhyLock >> lockShift),
			},
		}
		out(&e)
	}
	atomic.StoreUint64(&s.Tail, tail)
}

func (t *turnRings) record(cpu int, n uint64) *bpf.PinwatchTurn {
	return &t.records[uint64(cpu)*t.perCPU+n&(t.perCPU-1)]
}

// lost returns how many switch records have found their ring full since it was made.
func (t *turnRings) lost() (n uint64) {
	for i := range t.slots {
		n += atomic.LoadUint64(&t.slots[i].Lost)
	}
	return n
}

// untracked returns how many turns of threads without state there were since it was made.
func (t *turnRings) untracked() (n uint64) {
	for i := range t.slots {
		n += atomic.LoadUint64(&t.slots[i].Untracked)
	}
	return n
}

// Close unmaps the arrays.
func (m *mapped) Close() error {
	var err error
	for _, b := range *m {
		if e := unix.Munmap(b); err == nil && e != nil {
			err = fmt.Errorf("unmap: %w", e)
		}
	}
	*m = nil
	return err
}
