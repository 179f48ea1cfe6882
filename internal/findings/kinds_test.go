package findings

import (
	"errors"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
)

// TestJudged: every kind is named in every window, and has a reason where nothing could be found.
func TestJudged(t *testing.T) {
	const all = "pins-growing threads-growing exit-while-locked-churn children-killed-by-thread-exit " +
		"per-request-pinning wedged-m0 unbalanced-lock pinned-handoff-hot-spot sigurg-storm interrupted-calls " +
		"sysmon-busy pinned-thread-shares-core pinned-thread-delayed leaked-pin thread-surplus stop-the-world-delayed " +
		"cpu-throttled gomaxprocs-mismatch thread-differs affinity-overridden"
	with := func(edit func(*correlate.Result, *About)) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) {
			a.Affinity = map[int32][]int{100: {0, 1}}
			a.Held = map[int32]Held{}
			r.Sites = []correlate.Site{}
			a.Attributes = Attributes{[]string{"nice"}, map[int32][]string{100: {"0"}}}
			edit(r, a)
		}
	}
	none := func(*correlate.Result, *About) {}
	for _, tt := range []struct {
		name    string
		seconds int64
		edit    func(*correlate.Result, *About)
		not     string // those that were not looked for
		because string
	}{
		{"all", 60, with(none), "", ""},
		{"short", 5, with(none), "leaked-pin thread-surplus", "takes a window of 10 s or more"},
		{"lossy", 60, with(func(r *correlate.Result, _ *About) { lose(r) }), "leaked-pin thread-surplus",
			"records were lost"},
		{"no sites", 60, with(func(r *correlate.Result, _ *About) { r.Sites = nil }), "per-request-pinning", "--sites"},
		{"light", 60, with(func(r *correlate.Result, _ *About) { r.Counts.ThreadsExitedLocked = nil }),
			"exit-while-locked-churn", "--light"},
		{"GOMAXPROCS", 60, with(func(_ *correlate.Result, a *About) { a.GOMAXPROCS = 0 }),
			"sigurg-storm thread-surplus gomaxprocs-mismatch",
			"GOMAXPROCS could not be read"},
		{"affinity", 60, with(func(_ *correlate.Result, a *About) { a.Affinity = nil }),
			"pinned-thread-shares-core affinity-overridden", "could not be read"},
		{"holders", 60, with(func(_ *correlate.Result, a *About) { a.Held = nil }), "thread-surplus", "could not be read"},
		{"attributes", 60, with(func(_ *correlate.Result, a *About) { a.Attributes = Attributes{} }), "thread-differs",
			"were not compared"},
		{"quota", 60, with(func(_ *correlate.Result,
			a *About) {
			a.QuotaErr = errors.New("the cgroup /a is not mounted here")
		}),
			"cpu-throttled", "is not known: the cgroup /a is not mounted here"},
		{"no sysmon", 60, with(func(r *correlate.Result, _ *About) { r.Threads[1].Role = "unknown" }), "sysmon-busy",
			"sysmon"},
		{"stops", 60, with(func(r *correlate.Result, _ *About) { r.Stops, r.StopsUnknown = nil, "switches are added up" }),
			"stop-the-world-delayed", "switches are added up"},
		{"stops by the runtime's account", 60, with(func(r *correlate.Result, a *About) {
			r.Stops, r.StopsUnknown, a.StopAccount = nil, "switches are added up", []StopAccount{{Kind: "gc"}}
		}), "", ""},
		{"no account of stops", 60, with(func(r *correlate.Result, a *About) {
			r.Stops, r.StopsUnknown, a.StopAccountErr = nil, "switches are added up", errors.New("there is one since Go 1.22")
		}), "stop-the-world-delayed", "switches are added up, and the runtime's own account of its stops could not be " +
			"read: there is one since Go 1.22"},
		{"runtime", 60, with(func(r *correlate.Result, _ *About) {
			r.Counts.LockedThreads, r.Counts.ThreadsExitedLocked = nil, nil
		}), "pins-growing exit-while-locked-churn per-request-pinning wedged-m0 unbalanced-lock pinned-handoff-hot-spot " +
			"pinned-thread-shares-core pinned-thread-delayed leaked-pin affinity-overridden", "Go runtime could not be read"},
		{"no Go program", 60, with(func(r *correlate.Result, a *About) {
			r.Counts.LockedThreads, r.StopsUnknown, a.StopAccountErr = nil, "no signals", errors.New("not Go")
		}), "pins-growing exit-while-locked-churn per-request-pinning wedged-m0 unbalanced-lock pinned-handoff-hot-spot " +
			"pinned-thread-shares-core pinned-thread-delayed leaked-pin stop-the-world-delayed affinity-overridden",
			"Go runtime could not be read"},
		{"no length", 0, with(none), all, "no length"},
		{"stopped", 60, with(func(r *correlate.Result, _ *About) { r.Paused = 60 * second }), all,
			"stopped or frozen all the time"},
		{"pins that may be growing", 60, with(pinned(2, 0, 1)), "pins-growing",
			"2 pins of main.session began and none ended, too few to tell: that takes a window of some 300 s"},
		{"one pin", 60, with(pinned(1, 0, 1)), "", ""},
		{"threads that may be growing", 60, with(func(r *correlate.Result, _ *About) {
			r.Counts.ThreadsCreated += 10
			for i := range 10 {
				r.Threads[i%9].StartedAt = r.Start + (r.End-r.Start)/10*events.Time(i%9)
			}
		}), "threads-growing", "10 threads more than when the window began, too few to tell: that takes a window of some " +
			"120 s"},
		{"threads of one moment", 60, with(func(r *correlate.Result, _ *About) {
			r.Counts.ThreadsCreated += 10
			r.Threads[3].StartedAt = r.Start + 1
		}), "", ""},
		{"what was found was looked for", 5, with(pinned(24, 0, 1)), "leaked-pin thread-surplus", "10 s"},
	} {
		r, a := healthy(tt.seconds), about
		tt.edit(r, &a)
		_, judged := Find(r, a)
		var ids, not []string
		for _, j := range judged {
			ids = append(ids, j.ID)
			if j.Why != "" {
				not = append(not, j.ID)
				if !strings.Contains(j.Why, tt.because) {
					t.Errorf("%s: %s not judged because %s, want %q", tt.name, j.ID, j.Why, tt.because)
				}
			}
		}
		if strings.Join(ids, " ") != all || strings.Join(not, " ") != tt.not {
			t.Errorf("%s: judged %v, not %v; want not %q", tt.name, ids, not, tt.not)
		}
	}
}
