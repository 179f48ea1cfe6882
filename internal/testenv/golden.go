package testenv

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Golden compares got with the file at path, which lies under testdata, and shows the first line
// that differs. With -update it writes the file instead, and its directory if need be.
func Golden(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read the golden file: %v; run the test with -update to write it", err)
	}
	if diff := firstDiff(want, got); diff != "" {
		t.Errorf("%s: %s\nrun the test with -update if the new text is right", path, diff)
	}
}

// firstDiff describes the first line where got is not want, "" if there is none.
func firstDiff(want, got []byte) string {
	if bytes.Equal(want, got) {
		return ""
	}
	w, g := bytes.SplitAfter(want, []byte("\n")), bytes.SplitAfter(got, []byte("\n"))
	i := 0
	for i < len(w) && i < len(g) && bytes.Equal(w[i], g[i]) {
		i++
	}
	line := func(lines [][]byte) string {
		if i >= len(lines) {
			return "the end"
		}
		return fmt.Sprintf("%q", lines[i])
	}
	return fmt.Sprintf("line %d\n  want %s\n  got  %s", i+1, line(w), line(g))
}
