package measure

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplaceInFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	if err := CanReplace(file, "x"); err == nil {
		t.Error("a file that is not there is taken")
	}
	if err := os.WriteFile(file, []byte("<!-- x:begin --><!-- x:end -->"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CanReplace(file, "y"); err == nil {
		t.Error("a block that is not there is taken")
	}
	if err := CanReplace(file, "x"); err != nil {
		t.Error(err)
	}
	if err := Replace(file, "x", "new"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if want := "<!-- x:begin -->\nnew\n<!-- x:end -->"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

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
