package events

import (
	"testing"
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
)

// On a machine of 512 CPUs every record that a CPU has written arrives once, in the order of its
// CPU's times, and what is read at a time stays within the batch.
func TestManyRings(t *testing.T) {
	const cpus, possible, perCPU, written = 512, 600, 1 << 7, 100
	rings := &turnRings{
		slots: make([]bpf.PinwatchCpuSlot, possible), records: make([]bpf.PinwatchTurn, cpus*perCPU),
		perCPU: perCPU, cpus: cpus,
	}
	for cpu := range cpus {
		s := &rings.slots[cpu]
		s.Head, s.Tail = 1<<20, 1<<20 // a wrap comes in each
		for i := range uint64(written) {
			*rings.record(cpu, s.Head) = bpf.PinwatchTurn{Time: 1 + i*cpus + uint64(cpu), Tid: uint32(cpu)}
			s.Head++
		}
		s.Lost, s.Untracked = 1, 2
	}
	rings.slots[possible-1].Lost = 7 // of a CPU that came later
	last := make([]Time, cpus)
	var n, passes int
	for end := Time(0); end < cpus*written+1; passes++ {
		before := n
		end, _ = rings.drain(cpus*written+1, batch/cpus, func(e *Event) {
			n++
			if e.Time <= last[e.CPU] || int(e.TID) != int(e.CPU) {
				t.Fatalf("CPU %d: %d after %d, thread %d", e.CPU, e.Time, last[e.CPU], e.TID)
			}
			last[e.CPU] = e.Time
		})
		if n-before > batch+cpus {
			t.Fatalf("%d records at once, a batch has %d", n-before, batch)
		}
	}
	if n != cpus*written || rings.lost() != cpus+7 || rings.untracked() != 2*cpus {
		t.Errorf("%d records, %d lost, %d untracked in %d passes", n, rings.lost(), rings.untracked(), passes)
	}
	if allocated := testing.AllocsPerRun(10, func() { rings.drain(1, batch/cpus, func(*Event) {}) }); allocated > 0 {
		t.Errorf("%g allocations in a pass", allocated)
	}
}

// The banks of 2,048 CPUs are read whole: sums of all CPUs become one event for each distance and
// reason, and the bank is clear afterwards. Their memory is linear in the number of CPUs.
func TestManyBanks(t *testing.T) {
	const cpus = 2048
	b := &Banks{
		samples: make([]bpf.PinwatchSamples, 2*cpus*sampleKinds), moves: make([]bpf.PinwatchMoves, 2*cpus), cpus: cpus,
	}
	if size := int(unsafe.Sizeof(b.moves[0])) * len(b.moves); size > 1<<20 {
		t.Errorf("%d bytes for migrations", size)
	}
	for cpu := range cpus {
		b.moves[cpus+cpu].By[1+cpu%4][2] = 3
		b.moves[cpu].By[0][0] = 1 // of the other bank
		b.samples[(cpus+cpu)*sampleKinds] = bpf.PinwatchSamples{N: 1, Sum: 5, Least: 6, Most: 5}
		b.samples[(cpus+cpu)*sampleKinds].Buckets[5] = 1
	}
	moves, samples := map[uint64]uint64{}, uint64(0)
	read := func(e *Event) {
		switch e.Kind {
		case Move:
			moves[e.Args[ArgMoveDistance]] += e.Args[ArgMoveCount]
		case SampleTotal:
			samples += e.Args[ArgSamples]
		}
	}
	b.Read(1, 9, read)
	b.Read(1, 10, read) // nothing twice
	if samples != cpus || len(moves) != 4 || moves[1] != 3*cpus/4 || moves[4] != 3*cpus/4 {
		t.Errorf("%d samples, migrations %v", samples, moves)
	}
	if b.moves[0].By[0][0] != 1 {
		t.Error("the other bank was cleared")
	}
}

// Each pair of CPUs has its distance, where the kernel side looks for it (bpf/aggregate.h).
func TestDistances(t *testing.T) {
	const cpus = 70 // lines end inside a row
	lines := make([]bpf.PinwatchDistanceLine, (cpus*cpus+63)/64)
	distance := func(from, to int) string {
		switch {
		case from == to:
			return "no such word"
		case from/2 == to/2:
			return "smt"
		}
		return "remote"
	}
	setDistances(lines, cpus, distance)
	for _, c := range []struct{ from, to, want int }{{0, 0, 0}, {0, 1, 1}, {69, 68, 1}, {1, 69, 4}, {69, 0, 4}} {
		pair := c.from*cpus + c.to
		if got := lines[pair>>6].Of[pair&63]; int(got) != c.want {
			t.Errorf("from %d to %d: %d, want %d", c.from, c.to, got, c.want)
		}
	}
}

// A list of 100,000 threads does not make records late that a CPU sent meanwhile and that are read
// after it. What is held goes back to the bound when the list is released.
func TestListOfManyThreads(t *testing.T) {
	const threads = 100_000
	var r Reorder
	var last Time
	out := func(e *Event) {
		if e.Time < last {
			t.Fatalf("%d after %d", e.Time, last)
		}
		last = e.Time
	}
	for i := range threads {
		r.PushListed(&Event{Kind: Thread, Time: Time(1000 + i), TID: uint32(i)})
	}
	r.Release(900, out)
	for i := range threads / 100 { // sent while the threads were listed
		r.Push(&Event{Kind: Switch, Time: Time(1000 + 100*i), CPU: 1})
	}
	if r.Late() != 0 {
		t.Errorf("%d records are late", r.Late())
	}
	r.Release(1000+threads, out)
	for i := range 2 * maxHeld {
		r.Push(&Event{Kind: Switch, Time: Time(1000 + threads + i)})
	}
	r.Release(0, out)
	if r.waiting > maxHeld {
		t.Errorf("%d events held, at most %d", r.waiting, maxHeld)
	}
}
