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
		{"running", late, nil, "stopping the world took up to 40 ms: 11 of 31 stops seen took 1 ms or longer, at " +
			"least 6.04 % of the window, in " +
			"which all other goroutines wait; in 80.1 % of that time a thread (tid 103 most of all) ran runtime.memmove, in " +
			"which the runtime can't stop it", "pieces of 1 MB"},
		{"another thread", late[1:2], nil, "in 100 % of that time thread 104 was ready to stop and had no CPU",
			"more CPU time"},
		{"low priority", late[1:2], func(_ *correlate.Result, a *About) {
			a.Priorities = map[int32]Priority{104: {"SCHED_IDLE", 0}}
		}, "had no CPU: it has a lower priority than others (SCHED_IDLE, nice 0)", "the same priority"},
		{"lossy", late[1:2], func(r *correlate.Result, _ *About) { lose(r) }, "at least 1.2 % of the window", ""},
		{"throttled", []correlate.StopDelay{delay("throttled", 2, 60e6, 40e6)}, nil, "kept off its CPU by the CPU quota",
			"quota"},
		{"paused", []correlate.StopDelay{delay("paused", 2, 60e6, 40e6)}, nil, "was stopped or frozen",
			"nothing in the program"},
		{"blocked", []correlate.StopDelay{delay("blocked", 2, 60e6, 40e6)}, nil, "waited in the kernel", "resident"},
		{"stopper", []correlate.StopDelay{delay("stopper", 2, 60e6, 40e6)}, nil, "all others had stopped", "CPU time"},
		{"unknown", []correlate.StopDelay{{Why: "unknown", N: 1, Sum: 1e9, Max: 1e9}}, nil, "thread is not known",
			"longer window"},
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

// TestStopAccount: the runtime's account has the stops that no signal shows.
func TestStopAccount(t *testing.T) {
	delayed := StopTimes{N: 29, Least: 1.5e9, Most: 1.7e9, LongestLeast: 60e6, LongestMost: 70e6}
	quick := StopTimes{N: 1000, Least: 20e6, Most: 24e6, LongestLeast: 60e3, LongestMost: 70e3}
	waiting := correlate.StopDelay{TID: 104, Why: "waiting", N: 12, Sum: 400e6, Max: 60e6}
	unknown := correlate.StopDelay{Why: "unknown", N: 2, Sum: 500e6, Max: 60e6}
	for _, tt := range []struct {
		name            string
		account         StopTimes // of the delayed ones
		delays          []correlate.StopDelay
		unseen          string
		message, advice string // "" = no finding
	}{
		{"no long one", StopTimes{}, nil, "", "", ""},
		{"the signals show longer ones than there are", StopTimes{}, []correlate.StopDelay{waiting}, "", "", ""},
		{"no signal", delayed, nil, "", "stopping the world took up to about 65 ms: 29 of 1,029 stops took 1 ms or " +
			"longer, about " +
			"32 % of the window, in which all other goroutines wait; which thread was late is not known: no signal shows it, " +
			"as when a thread has had no CPU since an earlier one was sent to it", "more CPU time"},
		{"not looked for", delayed, nil, "switches are added up (--aggregate)",
			"which thread was late is not known: switches are added up (--aggregate)", "look again without that"},
		{"some", delayed, []correlate.StopDelay{waiting, unknown}, "", "which thread was late is known for 12 of them: " +
			"in 25 % of that time thread 104 was ready to stop and had no CPU", "same priority: thread 101 has a lower one"},
		{"none of them", delayed, []correlate.StopDelay{unknown}, "", "which thread was late is not known", "thread 101"},
		{"all", StopTimes{12, 390e6, 430e6, 55e6, 65e6}, []correlate.StopDelay{waiting}, "", "goroutines wait; " +
			"in 97.6 % of that time thread 104 was ready", "more CPU time"},
	} {
		r, a := healthy(5), about
		r.Stops, r.StopDelays, r.StopsUnknown = []correlate.Stops{}, tt.delays, tt.unseen
		a.StopAccount = []StopAccount{{"gc", quick, StopTimes{}}, {"other", tt.account, tt.account}}
		if len(tt.delays) == 2 || tt.name == "none of them" {
			a.Priorities = map[int32]Priority{101: {"SCHED_IDLE", 0}}
		}
		fs := find(r, a)
		if tt.message == "" {
			if len(fs) != 0 {
				t.Errorf("%s: %+v", tt.name, fs)
			}
			continue
		}
		if len(fs) != 1 || !strings.Contains(fs[0].Message, tt.message) || !strings.Contains(fs[0].Advice, tt.advice) {
			t.Errorf("%s: %+v, want %q and %q", tt.name, fs, tt.message, tt.advice)
			continue
		}
		sound(t, tt.name, fs[0])
	}
}
