package text

import (
	"testing"
	"unicode/utf8"
)

// A time between two bounds fits its column: both where they share a unit, else the upper one.
func TestBounds(t *testing.T) {
	p := newPage(Options{})
	for want, bounds := range map[string][2]int64{
		"3.2–5.4 µs": {3_210, 5_390}, "≤ 1.40 ms": {18_000, 1_400_000}, "42.0 µs": {42_000, 42_000},
		"1–540 µs": {1_000, 540_000},
	} {
		if got := p.bounds(&bounds[0], &bounds[1]); got != want || utf8.RuneCountInString(got) > boundsWidth {
			t.Errorf("%v: %q, want %q", bounds, got, want)
		}
	}
}
