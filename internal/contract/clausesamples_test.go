package contract

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// An interval is inside or outside of a range, or across an end; ends with "~" are wider.
func TestPlace(t *testing.T) {
	for _, tt := range []struct {
		lo, hi float64
		near   bool
		want   ruling
	}{
		{12, 25, false, fulfilled}, {10, 30, false, fulfilled}, {31, 35, false, outside}, {5, 9, false, outside},
		{29, 31, false, across}, {9, 11, false, across}, {5, 40, false, across},
		{12, 25, true, fulfilled}, {11, 25, true, across}, {12, 26, true, across}, {31, 36, true, across},
		{37, 38, true, outside}, {8.5, 9, true, across}, {5, 8, true, outside},
	} {
		if got := place(tt.lo, tt.hi, 10, 30, tt.near); got != tt.want {
			t.Errorf("%g–%g in 10–30, near %t: %d, want %d", tt.lo, tt.hi, tt.near, got, tt.want)
		}
	}
}

// The words of a comparison are those of its numbers.
func TestCompared(t *testing.T) {
	for _, tt := range []struct {
		lo, hi, least, most float64
		want                string
	}{
		{33, 36, 10, 30, "33.0 ns–36.0 ns is 1.10–1.20 times 30.0 ns"},
		{5, 8, 10, 30, "5.00 ns–8.00 ns is 0.500–0.800 times 10.0 ns"},
		{12, 20, 10, 30, "12.0 ns–20.0 ns lies in 10.0 ns–30.0 ns"},
		{2, 3, 0, 100, "2.00 ns–3.00 ns is below 100 ns"},
		{50, 70, 10, math.Inf(1), "50.0 ns–70.0 ns is 5.00–7.00 times 10.0 ns"},
		{25, 35, 10, 30, ""},
	} {
		if got := compared(tt.lo, tt.hi, tt.least, tt.most, "ns"); got != tt.want {
			t.Errorf("%g–%g in %g–%g: %q, want %q", tt.lo, tt.hi, tt.least, tt.most, got, tt.want)
		}
	}
	for want, got := range map[string]string{
		"0.988 ×–1.00 × is below 1.05 ×": compared(0.988, 1, 1.05, 1.25, "ratio"),
		"1.50 ×–2.00 × is above 1.25 ×":  compared(1.5, 2, 1.05, 1.25, "ratio"),
		"24.0 ×–55.0 × is above 10.0 ×":  compared(24, 55, 10, math.Inf(1), "ratio"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Several broken clauses give one reason: their meaning once, and the numbers of each.
func TestReasons(t *testing.T) {
	s, _ := Find("P-7")
	o := s.Judge(evidence(t, "go1.26.8",
		"cgo: short_beside_0~1x60 short_beside_4~1.01x60 short_beside_16~0.99x60 long~1x60 "+
			"short_beside_4_dropped=3"))
	if o.Verdict != Refuted || strings.Count(o.Why, "not faster by that much") != 1 || strings.Count(o.Why,
		"times") != 3 ||
		!strings.Contains(o.Got, "3 dropped") || !strings.Contains(o.Got, "long calls") {
		t.Errorf("%s, got %s, why %s", o.Verdict, o.Got, o.Why)
	}
}

// A clause about something that a release does not have is left out there.
func TestClauseSince(t *testing.T) {
	s, _ := Find("G-2")
	for release, want := range map[string]string{"go1.22.12": Holds, "go1.23.12": HoldsExcept} {
		if o := s.Judge(evidence(t, release, calm, "lend: turns_on_locked=1000 turns=1000")); o.Verdict != want ||
			len(o.Warnings) > 0 {
			t.Errorf("%s: %s, %q", release, o.Verdict, o.Warnings)
		}
	}
}

// Two samples of a histogram can have one median and differ.
func TestDearerWithOneMedian(t *testing.T) {
	sample := func(low, middle, high int) Sample {
		return NewSample("ns", slices.Concat(slices.Repeat([]float64{100}, low), slices.Repeat([]float64{200}, middle),
			slices.Repeat([]float64{900}, high)))
	}
	short, long := sample(80, 120, 0), sample(0, 120, 80)
	for _, tt := range []struct {
		a, b Sample
		want ruling
	}{{long, short, fulfilled}, {short, long, broken}, {long, long, broken}} {
		d := Dearer{"a", "b", 100}.decide(&Record{Samples: map[string]Sample{"a": tt.a, "b": tt.b}})
		if d.ruling != tt.want {
			t.Errorf("ruling %d, want %d: %s", d.ruling, tt.want, d.got)
		}
	}
}
