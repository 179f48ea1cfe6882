package text

import "testing"

func TestUnits(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{sparkline(nil), ""}, {sparkline([][2]int64{{1, 1000}, {2, 0}, {3, 1}, {4, 500}, {5, 999}}), "█ ▁▄█"},
		{ending("main.f", 6), "main.f"}, {ending("main.func1", 6), "…func1"}, {function("main.f"), "main.f"},
		{function("a.b/c/d.(*T[go.shape.e/f]).m"), "d.(*T[go.shape.e/f]).m"}, {function("m.F[a/b]"), "m.F[a/b]"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
