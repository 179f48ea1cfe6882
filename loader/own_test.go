package loader

import (
	"math"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestOwnMean(t *testing.T) {
	sample := func(ns, side uint32) uint32 { return ns<<2 | side }
	for name, c := range map[string]struct {
		times []uint32
		side  uint32
		n     int
		mean  float64
	}{
		"none":             {nil, 0, 0, math.NaN()},
		"none on the side": {[]uint32{sample(5, ownOut)}, ownIn, 0, math.NaN()},
		"mean":             {[]uint32{sample(100, 0), sample(300, 0)}, 0, 2, 200},
		"interrupted":      {[]uint32{sample(100, 0), sample(110, 0), sample(120, 0), sample(9000, 0)}, 0, 3, 110},
		"a thread leaves":  {[]uint32{sample(100, ownOut), sample(10, ownIn), sample(200, ownOut|ownIn)}, ownOut, 2, 150},
		"a thread comes":   {[]uint32{sample(100, ownOut), sample(10, ownIn), sample(30, ownOut|ownIn)}, ownIn, 2, 20},
	} {
		n, mean := ownMean(c.times, c.side)
		if n != c.n || mean != c.mean && !(math.IsNaN(mean) && math.IsNaN(c.mean)) {
			t.Errorf("%s: %d runs, mean %g; want %d, %g", name, n, mean, c.n, c.mean)
		}
	}
}

// Every program that times itself is in the table, and under a hook that there is.
func TestOwnRunsAreComplete(t *testing.T) {
	families, runs, names := map[string]bool{}, map[bpf.PinwatchOwnRun]bool{}, map[string]bool{}
	for _, h := range kernelHooks(&programs{}) {
		families[h.name] = true
	}
	for _, call := range syscalls() {
		families[call] = true
	}
	for _, r := range ownRuns {
		if !families[r.family] {
			t.Errorf("%s: no hook %s", r.name, r.family)
		}
		if names[r.name] {
			t.Errorf("%s twice", r.name)
		}
		runs[r.run], names[r.name] = true, true
	}
	if len(runs) != int(bpf.PinwatchOwnRunOWN_COUNT) {
		t.Errorf("%d programs in the table, %d in the kernel", len(runs), bpf.PinwatchOwnRunOWN_COUNT)
	}
}

// The programs time themselves as often as they are let, and no more often.
func TestOwnTimes(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	c, err := calibrate(btf.NewCache())
	if err != nil {
		t.Fatal(err)
	}
	p := testenv.Workload(t, "pingpong")
	s := attachTo(t, p.PID, Config{})
	own := s.NewOwn(c)
	const rounds = 20
	for range rounds {
		if err := own.Collect(); err != nil {
			t.Fatal(err)
		}
		for switches := 0; switches < 200; {
			time.Sleep(time.Millisecond)
			switches += len(drain(t, s))
		}
	}
	if err := own.Collect(); err != nil {
		t.Fatal(err)
	}
	for _, o := range own.Times() {
		if o.Name != "sched_switch_out" && o.Name != "sched_waking" {
			continue
		}
		cpus := s.Buffers.CPUs // each may time one more than it was let
		if o.N < rounds || o.N > rounds*ownGrant*cpus || o.NS < 0 || o.DispatchNS < 0 {
			t.Errorf("%+v after %d rounds of %d", o, rounds, ownGrant)
		}
	}
}
