package contract

import (
	"slices"
	"testing"
)

// The size of an effect is told beside what is claimed, and only of a verdict that decides.
func TestEffects(t *testing.T) {
	for _, tt := range []struct{ id, change, want string }{
		{"P-9", "churn: exit~60000x60", "2 times the upper end of the range"},
		{"P-9", "churn: exit~5000x60", "0.49–0.51 times the lower end of the range"},
		{"P-9", "churn: exit~20000x60", "inside the range"},
		{"P-9", "churn: exit~20000x5", ""},
		{"P-4", "calls: unlock~4x60", "0.039–0.041 times the limit"},
		{"P-5", "storm: preempt_lower~12000x60 preempt_upper~30000x60", "3.9–10 times the upper end of the range"},
		{"P-6", "", "median 4.5 times the other's"},
		{"P-7", "cgo: short_beside_0~1x60", "a difference of −1.4 to +1.3 %"},
		{"X-1", "handoff: tax~310x60", "306–314 times"},
		{"N-6", "storm: preempt_upper~9000x300", "the longest is 1.1 times the median"},
		{"G-1", "", "below 0.150 % of the tries"},
		{"G-1", "migrate: locked_moves=500", "23.2 % to 26.9 % of the tries"},
		{"G-4", "", ""},
		{"M-1", "names: metric_specified=0", ""},
		{"N-4", "", ""},
	} {
		s, _ := Find(tt.id)
		lines := slices.Clone(cases[tt.id].good)
		if tt.change != "" {
			lines = append(lines, tt.change)
		}
		if o := s.Judge(evidence(t, "go1.26.8", lines...)); o.Effect != tt.want {
			t.Errorf("%s with %q: effect %q, want %q; %s, got %s", tt.id, tt.change, o.Effect, tt.want, o.Verdict, o.Got)
		}
	}
}

// An interval that lies across an end of the range is told beside that end.
func TestBesideRange(t *testing.T) {
	for _, tt := range []struct {
		lo, hi float64
		want   string
	}{
		{15, 60, "0.75–3 times the lower end of the range"},
		{5, 10, "0.25–0.5 times the lower end of the range"},
		{60, 150, "0.6–1.5 times the upper end of the range"},
		{10, 200, "0.1–2 times the upper end of the range"},
		{20, 100, "inside the range"},
	} {
		if got := besideRange(Interval{Lo: tt.lo, Hi: tt.hi}, 20, 100); got != tt.want {
			t.Errorf("%v to %v: %q, want %q", tt.lo, tt.hi, got, tt.want)
		}
	}
}

// A difference that is rounded to zero has no sign.
func TestRatioWords(t *testing.T) {
	if got, want := ratioWords(Interval{Lo: 0.988, Hi: 0.9998}), "a difference of −1.2 to 0 %"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
