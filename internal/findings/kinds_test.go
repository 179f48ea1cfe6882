package findings

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
)

// TestJudged: every kind is named in every window, and has a reason where nothing could be found.
func TestJudged(t *testing.T) {
	const all = "pins-growing threads-growing exit-while-locked-churn children-killed-by-thread-exit per-request-pinning " +
		"wedged-m0 unbalanced-lock pinned-handoff-hot-spot sigurg-storm interrupted-calls sysmon-busy " +
		"pinned-thread-shares-core pinned-thread-delayed leaked-pin thread-surplus cpu-throttled gomaxprocs-mismatch thread-differs affinity-overridden"
	with := func(edit func(*correlate.Result, *About)) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) {
			a.Affinity = map[int32][]int{100: {0, 1}}
			a.Held = map[int32]Held{}
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
		{"lossy", 60, with(func(r *correlate.Result, _ *About) { lose(r) }), "leaked-pin thread-surplus", "records were lost"},
		{"light", 60, with(func(r *correlate.Result, _ *About) { r.Counts.ThreadsExitedLocked = nil }),
			"exit-while-locked-churn", "--light"},
		{"GOMAXPROCS", 60, with(func(_ *correlate.Result, a *About) { a.GOMAXPROCS = 0 }), "sigurg-storm thread-surplus gomaxprocs-mismatch",
			"GOMAXPROCS could not be read"},
		{"affinity", 60, with(func(_ *correlate.Result, a *About) { a.Affinity = nil }),
			"pinned-thread-shares-core affinity-overridden", "could not be read"},
		{"holders", 60, with(func(_ *correlate.Result, a *About) { a.Held = nil }), "thread-surplus", "could not be read"},
		{"attributes", 60, with(func(_ *correlate.Result, a *About) { a.Attributes = Attributes{} }), "thread-differs",
			"were not compared"},
		{"no sysmon", 60, with(func(r *correlate.Result, _ *About) { r.Threads[1].Role = "unknown" }), "sysmon-busy", "sysmon"},
		{"runtime", 60, with(func(r *correlate.Result, _ *About) {
			r.Counts.LockedThreads, r.Counts.ThreadsExitedLocked = nil, nil
		}), "pins-growing exit-while-locked-churn per-request-pinning wedged-m0 unbalanced-lock pinned-handoff-hot-spot " +
			"pinned-thread-shares-core pinned-thread-delayed leaked-pin affinity-overridden", "Go runtime could not be read"},
		{"no length", 0, with(none), all, "no length"},
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
