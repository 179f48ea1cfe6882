package findings

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
)

// stopped has n quick stops, and delays.
func stopped(n int, delays ...correlate.StopDelay) func(*correlate.Result, *About) {
	return func(r *correlate.Result, _ *About) {
		s := correlate.Stops{Kind: "gc"}
		for range n {
			s.Hist.Add(20_000)
		}
		for _, d := range delays {
			for range d.N {
				s.Hist.Add(d.Sum / int64(d.N))
			}
		}
		r.Stops, r.StopDelays = []correlate.Stops{s}, delays
	}
}

func TestDelayedStops(t *testing.T) {
	delay := func(why string, n uint64, sum, most int64) correlate.StopDelay {
		return correlate.StopDelay{TID: 103, Why: why, N: n, Sum: sum, Max: most}
	}
	info, warn := []string{"stop-the-world-delayed info"}, []string{"stop-the-world-delayed warn"}
	run(t, []scenario{
		{"no stops", 5, func(*correlate.Result, *About) {}, nil},
		{"quick stops", 5, stopped(1000), nil},
		{"a few late", 5, stopped(10, delay("waiting", 10, 49e6, 9e6)), nil},
		{"one long", 5, stopped(10, delay("waiting", 1, 10e6, 10e6)), info},
		{"many", 5, stopped(10, delay("waiting", 10, 50e6, 9e6)), info},
		{"most of the time", 5, stopped(0, delay("waiting", 50, 250e6, 9e6)), warn},
		{"noticed", 5, stopped(0, delay("running", 1, 100e6, 100e6)), warn},
	})
	late := []correlate.StopDelay{
		{TID: 103, Why: "running", Function: "runtime.memmove", N: 8, Sum: 240e6, Max: 40e6},
		{TID: 104, Why: "waiting", N: 2, Sum: 60e6, Max: 30e6},
		{TID: 104, Why: "running", N: 1, Sum: 2e6, Max: 2e6},
	}
	for _, tt := range []struct {
		name            string
		delays          []correlate.StopDelay
		edit            func(*correlate.Result, *About)
		message, advice string
	}{
		{"running", late, nil, "stopping the world took up to 40 ms: 11 of 31 stops seen took 1 ms or longer, at least 6.04 % of the window, in " +
			"which all other goroutines wait; in 80.1 % of that time a thread (tid 103 most of all) ran runtime.memmove, in " +
			"which the runtime can't stop it", "pieces of 1 MB"},
		{"another thread", late[1:2], nil, "in 100 % of that time thread 104 was ready to stop and had no CPU", "more CPU time"},
		{"low priority", late[1:2], func(_ *correlate.Result, a *About) {
			a.Priorities = map[int32]Priority{104: {"SCHED_IDLE", 0}}
		}, "had no CPU: it has a lower priority than others (SCHED_IDLE, nice 0)", "the same priority"},
		{"lossy", late[1:2], func(r *correlate.Result, _ *About) { lose(r) }, "at least 1.2 % of the window", ""},
		{"throttled", []correlate.StopDelay{delay("throttled", 2, 60e6, 40e6)}, nil, "kept off its CPU by the CPU quota", "quota"},
		{"paused", []correlate.StopDelay{delay("paused", 2, 60e6, 40e6)}, nil, "was stopped or frozen", "nothing in the program"},
		{"blocked", []correlate.StopDelay{delay("blocked", 2, 60e6, 40e6)}, nil, "waited in the kernel", "resident"},
		{"stopper", []correlate.StopDelay{delay("stopper", 2, 60e6, 40e6)}, nil, "all others had stopped", "CPU time"},
		{"unknown", []correlate.StopDelay{{Why: "unknown", N: 1, Sum: 1e9, Max: 1e9}}, nil, "thread is not known", "longer window"},
		{"no function", []correlate.StopDelay{{Why: "running", N: 1, Sum: 1e9, Max: 1e9}}, nil,
			"a thread ran code in which the runtime can't stop it", "pieces"},
	} {
		r, a := healthy(5), about
		stopped(20, tt.delays...)(r, &a)
		if tt.edit != nil {
			tt.edit(r, &a)
		}
		fs := find(r, a)
		if len(fs) != 1 || !strings.Contains(fs[0].Message, tt.message) || !strings.Contains(fs[0].Advice, tt.advice) {
			t.Errorf("%s: %+v, want %q and %q", tt.name, fs, tt.message, tt.advice)
			continue
		}
		sound(t, tt.name, fs[0])
	}
}
