package text

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
)

// Every part that has samples is a row.
func TestShownParts(t *testing.T) {
	row := func(id, phase string, n int64, set func(*report.Cost)) report.Cost {
		c := report.Cost{ID: id, Phase: phase, N: n}
		if set != nil {
			set(&c)
		}
		return c
	}
	cause := func(w string) func(*report.Cost) { return func(c *report.Cost) { c.Cause = &w } }
	locked := func(w report.Ternary) func(*report.Cost) { return func(c *report.Cost) { c.Locked = w } }
	for name, tt := range map[string]struct {
		costs []report.Cost
		want  []string
	}{
		"one cause repeats the row": {
			[]report.Cost{row("P-9", "exit", 5, nil), row("P-9", "exit", 5, cause("locked")),
				row("P-9", "exit", 0, cause("other"))},
			[]string{"exit 5", "· locked 5"},
		},
		"two causes": {
			[]report.Cost{row("P-9", "exit", 5, nil), row("P-9", "exit", 4, cause("locked")),
				row("P-9", "exit", 1, cause("other"))},
			[]string{"exit 5", "· locked 4", "· other 1"},
		},
		"many causes": {
			[]report.Cost{row("P-8", "clone_syscall", 15, nil), row("P-8", "clone_syscall", 1, cause("a")),
				row("P-8", "clone_syscall", 5, cause("b")),
				row("P-8", "clone_syscall", 4, cause("c")), row("P-8", "clone_syscall", 3, cause("d")),
				row("P-8", "clone_syscall", 2, cause("e"))},
			[]string{"clone_syscall 15", "· a 1", "· b 5", "· c 4", "· d 3", "· e 2"},
		},
		"one lock known": {
			[]report.Cost{row("P-8", "spawn", 5, nil), row("P-8", "spawn", 4, locked("true")),
				row("P-8", "spawn", 1, locked("unknown"))},
			[]string{"spawn 5", "· locked 4", "· lock ? 1"},
		},
		"locked": {
			[]report.Cost{row("P-5", "deliver", 5, nil), row("P-5", "deliver", 4, locked("true")),
				row("P-5", "deliver", 1, locked("false"))},
			[]string{"deliver 5", "· locked 4", "· unlocked 1"},
		},
		"a state without a whole": {
			[]report.Cost{row("P-5", "kernel", 5, func(c *report.Cost) {
				c.State, c.Bound = reporttest.Ptr("on_cpu"),
					reporttest.Ptr("upper")
			})},
			[]string{"kernel ≤ 5"},
		},
	} {
		var got []string
		for _, r := range shown(tt.costs, tt.costs[0].ID) {
			got = append(got, fmt.Sprintf("%s %d", r.name(), r.N))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestCauseParts(t *testing.T) {
	causes := []report.Cause{
		{What: "create", Cause: "spinning_wake", N: 2},
		{What: "preempt", Cause: "gc_stack_scan", N: 100},
		{What: "create", Cause: "locked_park", Function: reporttest.Ptr("a/b.f"), N: 3},
		{What: "create", Cause: "locked_park", N: 4},
		{What: "create", Cause: "locked_park", Function: reporttest.Ptr("main.g"), N: 5},
		{What: "create", Cause: "locked_park", Function: reporttest.Ptr("main.h"), Reason: reporttest.Ptr("GC sweep"),
			N: 1},
		{What: "create", Cause: "other"},
	}
	want := []string{"locked_park 13 (main.g 5, b.f 3, GC sweep by main.h 1)", "spinning_wake 2"}
	if got := causeParts(causes, "create"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestQuantity(t *testing.T) {
	for _, tt := range []struct {
		key  string
		v    any
		want string
	}{
		{"wake_mean_ns", 12_300, "wake_mean 12.3 µs"}, {"window_s", 60.0, "window 60.0 s"},
		{"sent_per_s", uint64(2470), "sent 2.47k per s"},
		{"cost_cpu_s_per_hour", 14.64, "cost 14.6 s of CPU per hour"}, {"share_fraction", 0.123, "share 12.3 %"},
		{"tids", []int32{3, 4}, "tids 3 4"},
		{"goid", int64(1_234_567), "goid 1234567"}, {"lossy", true, "lossy true"},
		{"function", "main.f", "function main.f"},
	} {
		if got := quantity(tt.key, tt.v); got != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.key, tt.v, got, tt.want)
		}
	}
}
