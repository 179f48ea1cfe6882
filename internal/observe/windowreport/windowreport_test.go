package windowreport_test

import (
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/observe/windowreport"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/loader"
)

// TestUnknownIsNull: what an observation does not have is nil in the report, never 0.
func TestUnknownIsNull(t *testing.T) {
	w := &observe.Window{Result: &correlate.Result{}, Target: observe.Target{PID: 7}}
	r := windowreport.New("v1", w)
	if r.Pinwatch.Version != "v1" || r.Target.PID != 7 {
		t.Errorf("%+v, %+v", r.Pinwatch, r.Target)
	}
	if g := r.Target; g.Exe != nil || g.GoVersion != nil || g.GOMAXPROCS != nil || g.Ended != nil {
		t.Errorf("target %+v", g)
	}
	if r.RuntimeStops != nil {
		t.Errorf("stops %+v", r.RuntimeStops)
	}
	o := r.Observer
	if o.Programs != nil || o.CPUFraction != nil || o.RSSAnonBytes != nil || o.StatsSampledS != nil || o.Probe != nil ||
		o.Overhead != nil || o.ClockReadNS != nil || o.ClockStepNS != nil {
		t.Errorf("observer %+v", o)
	}
}

// TestKnown: every fact reaches its place.
func TestKnown(t *testing.T) {
	affinity := "0-1"
	dispatch := 50.
	w := &observe.Window{
		Result: &correlate.Result{Threads: []correlate.Thread{{TID: 8}, {TID: 9}}},
		Target: observe.Target{PID: 7, Exe: "app", Ended: true,
			Info: &goruntime.Info{Exe: "/bin/app", GoVersion: "go1.26.8", GOMAXPROCS: 2}},
		Overhead: observe.Overhead{
			Programs: []loader.ProgramStats{
				{Name: "a", Runs: 4, Runtime: 2 * time.Microsecond}, {Name: "b", Missed: 1},
			},
			Sampled: time.Second, CPUSeconds: 1, Elapsed: 4 * time.Second,
			Probe:       &observe.ProbeCost{Hits: 3, Breakpoint: 900, ProgramNS: 100},
			Calibration: &loader.Calibration{ClockRead: 20, ClockStep: 1},
			Timings:     []loader.ProgramTime{{Name: "a", N: 4, NS: 300, DispatchNS: &dispatch}, {Name: "b"}},
		},
		Schedules: map[int32]procfs.Schedule{9: {Affinity: &affinity}},
		RuntimeStops: []goruntime.Stops{{Kind: "gc"}, {Kind: "other", All: goruntime.StopTimes{N: 1, Least: 2, Most: 3,
			LongestLeast: 4, LongestMost: 5}}},
		Warnings: []string{"a warning"},
	}
	r := windowreport.New("v1", w)
	if s := r.RuntimeStops; len(s) != 2 || s[0].LongestMostNS != nil || s[1].N != 1 || s[1].SumLeastNS != 2 ||
		s[1].SumMostNS != 3 || *s[1].LongestLeastNS != 4 || *s[1].LongestMostNS != 5 {
		t.Errorf("stops %+v", s)
	}
	if g := r.Target; *g.Exe != "app" || *g.GoVersion != "go1.26.8" || *g.GOMAXPROCS != 2 ||
		*g.Offsets != "none" || g.Ended == nil {
		t.Errorf("target %+v", g)
	}
	o := r.Observer
	if len(o.Programs) != 2 || *o.Programs[0].NSPerRun != 500 || o.Programs[1].NSPerRun != nil ||
		o.Programs[1].Missed != 1 {
		t.Errorf("programs %+v", o.Programs)
	}
	if len(o.Overhead) != 2 || *o.Overhead[0].NS != 300 ||
		o.Overhead[1].NS != nil || *o.Overhead[0].DispatchNS != 50 || o.Overhead[1].DispatchNS != nil {
		t.Errorf("timings %+v", o.Overhead)
	}
	if *o.CPUFraction != 0.25 || *o.StatsSampledS != 1 || *o.ClockReadNS != 20 ||
		*o.Probe.HitNS != 1000 || o.Probe.BreakpointNS != 900 {
		t.Errorf("observer %+v, probe %+v", o, o.Probe)
	}
	if r.Threads[0].Affinity != nil || *r.Threads[1].Affinity != "0-1" || r.Warnings[0] != "a warning" {
		t.Errorf("threads %+v, warnings %q", r.Threads, r.Warnings)
	}
}
