package unit

import (
	"math"
	"testing"
)

func TestNumbers(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Duration(0), "0 ns"}, {Duration(999.4), "999 ns"}, {Duration(999.6), "1.00 µs"}, {Duration(1234), "1.23 µs"},
		{Duration(23_449), "23.4 µs"},
		{Duration(999_400), "999 µs"}, {Duration(999_600), "1.00 ms"}, {Duration(9_996), "10.0 µs"},
		{Duration(99_960), "100 µs"},
		{Duration(17.25e6), "17.2 ms"}, {Duration(5e9), "5.00 s"}, {Duration(3600e9), "3600 s"},
		{ShortDuration(0), "0 ns"}, {ShortDuration(999), "999 ns"}, {ShortDuration(999.6), "1 µs"},
		{ShortDuration(1_500), "1.5 µs"},
		{ShortDuration(2.5e6), "2.5 ms"}, {ShortDuration(24e6), "24 ms"}, {ShortDuration(3600e9), "3600 s"},
		{ShortDuration(4.25), "4.25 ns"},
		{DurationRange(10_000, 50_000), "10–50 µs"}, {DurationRange(900, 3000), "900 ns–3 µs"},
		{DurationRange(1372, 3208), "1.37–3.21 µs"},
		{DurationRange(3_000_100_000, 3_000_400_000), "3.00 s"},
		{Age(0.42), "0.42s"}, {Age(12.34), "12.3s"}, {Age(3120), "52m"}, {Age(111_600), "31h"}, {Age(1.04e6), "12d"},
		{Quantity(0, "ns"), "0 ns"}, {Quantity(4.25, "ns"), "4.25 ns"}, {Quantity(24, "ns"), "24.0 ns"},
		{Quantity(30_000, "ns"), "30.0 µs"},
		{Quantity(-30_000, "ns"), "-30.0 µs"}, {Quantity(1.05, "ratio"), "1.05 ×"}, {Quantity(5000, "ratio"), "5000 ×"},
		{Quantity(0.0123, "share"), "0.0123 share"},
		{Quantity(math.Inf(1), "ns"), "+Inf ns"},
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(1234567), "1,234,567"},
		{Count(-100), "-100"}, {Count(int64(-1000)), "-1,000"},
		{Count(uint64(18446744073709551615)), "18,446,744,073,709,551,615"},
		{Whole(0), "0"}, {Whole(999.4), "999"}, {Whole(1000), "1,000"}, {Whole(1234567), "1,234,567"},
		{SixRunes(99_999), "99,999"}, {SixRunes(100_000), "100k"}, {SixRunes(999_999), "1.00M"},
		{SixRunes(18446744073709551615), "18446744T"},
		{Scaled(0), "0"}, {Scaled(0.1234), "0.12"}, {Scaled(24.6), "24.6"}, {Scaled(24), "24"},
		{Scaled(999.7), "1.00k"}, {Scaled(2469), "2.47k"},
		{Plural(0, "thread"), "0 threads"}, {Plural(1, "thread"), "1 thread"}, {Plural(2, "thread"), "2 threads"},
		{Plural(1000, "thread"), "1,000 threads"},
		{Short(24), "24"}, {Short(100), "100"}, {Short(999.7), "1000"}, {Short(0.05), "0.05"}, {Short(1.50), "1.5"},
		{Bytes(5), "5.00 B"}, {Bytes(12_900_000), "12.3 MiB"},
		{Percent(0), "0 %"}, {Percent(0.0001), "<0.1 %"}, {Percent(0.123), "12.3 %"}, {Percent(1), "100 %"},
		{Percent(0.9999), "100 %"}, {ShortPercent(0.123456), "12.3 %"}, {ShortPercent(0.005), "0.5 %"},
		{CPUs(nil), ""}, {CPUs([]int{4}), "4"}, {CPUs([]int{0, 1, 2, 5, 8, 9, 1023}), "0-2,5,8-9,1023"},
		{Function("main.f"), "main.f"}, {Function("m.F[a/b]"), "m.F[a/b]"},
		{Function("a.b/c/d.(*T[go.shape.e/f]).m"), "d.(*T[go.shape.e/f]).m"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestRound(t *testing.T) {
	for _, tt := range []struct {
		v      float64
		digits int
		want   float64
	}{{0, 3, 0}, {123_456, 3, 123_000}, {0.0123456, 4, 0.01235}, {-99_960, 3, -100_000}, {math.Inf(1), 6, 0},
		{math.NaN(), 6, 0}} {
		if got := Round(tt.v, tt.digits); got != tt.want {
			t.Errorf("%v to %d digits is %v, want %v", tt.v, tt.digits, got, tt.want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "4096": 4096, "64K": 64 << 10, "64kb": 64 << 10, "4M": 4 << 20,
		"1 G": 1 << 30, "12B": 12} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%q is %d, want %d; %v", text, got, want, err)
		}
	}
	for _, text := range []string{"", "M", "-4M", "4.5M", "4T", "4MM", "4 M 4", "many", "9999999999999999999",
		"9223372036854775807K"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
}
