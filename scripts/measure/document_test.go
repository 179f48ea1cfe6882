package measure

import "testing"

func TestReplace(t *testing.T) {
	const page = "prose\n<!-- x:begin -->\nold\n<!-- x:end -->\nmore <!-- y:begin --><!-- y:end -->\n"
	got, err := replace(page, "x", "new\n\n")
	const want = "prose\n<!-- x:begin -->\nnew\n<!-- x:end -->\nmore <!-- y:begin --><!-- y:end -->\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{"", "<!-- x:begin -->", "<!-- x:end --><!-- x:begin -->", page + page} {
		if got, err := replace(bad, "x", "new"); err == nil {
			t.Errorf("%q became %q; want an error", bad, got)
		}
	}
}

func TestTable(t *testing.T) {
	got := Table([]string{"tool", "ns"}, [][]string{{"a", "1"}})
	if want := "| tool | ns |\n| --- | ---: |\n| a | 1 |\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
