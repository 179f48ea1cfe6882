package text

import "testing"

func TestUnits(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{sparkline(nil), ""}, {sparkline([][2]int64{{1, 1000}, {2, 0}, {3, 1}, {4, 500}, {5, 999}}), "█ ▁▄█"},
		{ending("main.f", 6), "main.f"}, {ending("main.func1", 6), "…func1"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
