package report

import "testing"

func TestUnits(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{duration(0), "0 ns"}, {duration(999.4), "999 ns"}, {duration(999.6), "1.00 µs"}, {duration(1234), "1.23 µs"}, {duration(23_449), "23.4 µs"},
		{duration(999_400), "999 µs"}, {duration(999_600), "1.00 ms"}, {duration(9_996), "10.0 µs"}, {duration(99_960), "100 µs"},
		{duration(17.25e6), "17.2 ms"}, {duration(5e9), "5.00 s"}, {duration(3600e9), "3600 s"},
		{durationRange(10_000, 50_000), "10–50 µs"}, {durationRange(900, 3000), "900 ns–3 µs"}, {durationRange(1372, 3208), "1.37–3.21 µs"},
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(1234567), "1,234,567"},
		{short(99_999), "99,999"}, {short(100_000), "100k"}, {short(999_999), "1.00M"}, {short(18446744073709551615), "18446744T"},
		{scaled(0), "0"}, {scaled(24.6), "24.6"}, {scaled(24), "24"}, {scaled(999.7), "1.00k"}, {scaled(2469), "2.47k"},
		{bytesOf(5), "5.00 B"}, {bytesOf(12_900_000), "12.3 MiB"},
		{percent(0), "0 %"}, {percent(0.0001), "<0.1 %"}, {percent(0.123), "12.3 %"}, {percent(1), "100 %"}, {percent(0.9999), "100 %"},
		{cpuRange(nil), "–"}, {cpuRange([]int{4}), "4"}, {cpuRange([]int{0, 1, 2, 5, 7, 8}), "0-2,5,7-8"},
		{sparkline(nil), ""}, {sparkline([][2]int64{{1, 1000}, {2, 0}, {3, 1}, {4, 500}, {5, 999}}), "█ ▁▄█"},
		{ending("main.f", 6), "main.f"}, {ending("main.func1", 6), "…func1"}, {function("main.f"), "main.f"}, {function("a.b/c/d.(*T[go.shape.e/f]).m"), "d.(*T[go.shape.e/f]).m"}, {function("m.F[a/b]"), "m.F[a/b]"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
