package loader

import (
	"math"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestOverheadMean(t *testing.T) {
	sample := func(ns uint32, side bpf.PinwatchOverheadSide) uint32 {
		return ns<<bpf.PinwatchOverheadSideOVERHEAD_SIDE_BITS | uint32(side)
	}
	for name, c := range map[string]struct {
		times []uint32
		side  bpf.PinwatchOverheadSide
		n     int
		mean  float64
	}{
		"none":             {nil, 0, 0, math.NaN()},
		"none on the side": {[]uint32{sample(5, outSide)}, inSide, 0, math.NaN()},
		"mean":             {[]uint32{sample(100, 0), sample(300, 0)}, 0, 2, 200},
		"interrupted": {
			[]uint32{sample(100, 0), sample(110, 0), sample(120, 0), sample(9000, 0)}, 0, 3, 110,
		},
		"switch-out": {
			[]uint32{sample(100, outSide), sample(10, inSide), sample(200, outSide|inSide)}, outSide, 2, 150,
		},
		"switch-in": {
			[]uint32{sample(100, outSide), sample(10, inSide), sample(30, outSide|inSide)}, inSide, 2, 20,
		},
	} {
		n, mean := overheadMean(c.times, c.side)
		if n != c.n || mean != c.mean && !(math.IsNaN(mean) && math.IsNaN(c.mean)) {
			t.Errorf("%s: %d runs, mean %g; want %d, %g", name, n, mean, c.n, c.mean)
		}
	}
}

// Every program that times itself is in the table, under a hook that exists.
func TestOverheadRunsAreComplete(t *testing.T) {
	spec, err := bpf.LoadPinwatch()
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKernelSide(spec)
	if err != nil {
		t.Fatal(err)
	}
	families, runs, names := map[string]bool{}, map[bpf.PinwatchOverheadRun]bool{}, map[string]bool{}
	for _, p := range kernelPrograms(&k.PinwatchProgramSpecs) {
		families[p.AttachTo] = true
	}
	for _, call := range syscalls() {
		families[call] = true
	}
	for _, r := range overheadRuns {
		if !families[r.family] {
			t.Errorf("%s: no hook %s", r.name, r.family)
		}
		if names[r.name] {
			t.Errorf("%s twice", r.name)
		}
		runs[r.run], names[r.name] = true, true
	}
	if len(runs) != int(bpf.PinwatchOverheadRunOVERHEAD_COUNT) {
		t.Errorf("%d programs in the table, %d in the kernel", len(runs), bpf.PinwatchOverheadRunOVERHEAD_COUNT)
	}
}

// The programs time themselves as often as they may, and no more often.
func TestOverheadTimes(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	c, attached, err := calibrate(readTypes, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := closeAll(attached); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{btfTracepoint, Tracepoint} {
		if _, measured := c.Dispatch[how]; !measured || c.ClockRead <= 0 {
			t.Errorf("%s is not measured: %+v", how, c)
		}
	}
	p := testenv.Workload(t, "pingpong")
	s := attachTo(t, p.PID, Config{})
	overhead := s.NewProgramTimes(c)
	const rounds = 20
	for range rounds {
		if err := overhead.Collect(); err != nil {
			t.Fatal(err)
		}
		for switches := 0; switches < 200; {
			time.Sleep(time.Millisecond)
			switches += len(drain(t, s))
		}
	}
	if err := overhead.Collect(); err != nil {
		t.Fatal(err)
	}
	for _, o := range overhead.Times() {
		if o.Name != "sched_switch_out" && o.Name != "sched_waking" {
			continue
		}
		cpus := s.Buffers.cpus // each may time one run too many
		if o.N < rounds || o.N > rounds*overheadGrant*cpus {
			t.Errorf("%+v after %d rounds of %d", o, rounds, overheadGrant)
		}
	}
}
