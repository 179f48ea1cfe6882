package correlate

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// The table finds the same threads as a map.
func TestTIDTableIsAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	got, want := newTIDTable(), map[uint32]*thread{}
	for i := range 100_000 {
		tid := rng.Uint32N(3000)
		if i%20_000 < 10_000 { // first more are put, then removed
			want[tid] = &thread{tid: tid}
			got.put(want[tid])
		}
		if other := rng.Uint32N(3000); i%20_000 >= 10_000 || other%3 == 0 {
			delete(want, other)
			got.remove(other)
		}
		if got.get(tid) != want[tid] || got.n != len(want) {
			t.Fatalf("after %d steps: tid %d is %p of %d, want %p of %d", i, tid, got.get(tid), got.n, want[tid], len(want))
		}
	}
	all := map[uint32]*thread{}
	for th := range got.all {
		all[th.tid] = th
	}
	if !maps.Equal(all, want) {
		t.Errorf("all visits %d threads, want %d", len(all), len(want))
	}
}

func TestCPUSet(t *testing.T) {
	var all cpuSet
	want := []int{0, 3, 63, 64, 127, 128, 4095, 65535}
	for _, cpu := range []uint16{128, 3, 65535, 3, 64} {
		all.add(cpu)
	}
	var more cpuSet
	for _, cpu := range []uint16{0, 63, 127, 4095} {
		more.add(cpu)
	}
	all.addAll(&more)
	if got := all.list(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
