package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "testdata", "a.golden")
	compare := func(got string) *Recorder {
		return Record(func(t testing.TB) { Golden(t, path, []byte(got)) })
	}
	if r := compare("one\n"); !strings.Contains(r.FatalText, "-update") {
		t.Errorf("no file: %+v", r)
	}
	*update = true
	compare("one\ntwo\n")
	*update = false
	if text, err := os.ReadFile(path); err != nil || string(text) != "one\ntwo\n" {
		t.Fatalf("-update wrote %q, %v", text, err)
	}
	if r := compare("one\ntwo\n"); len(r.Errors) > 0 || r.FatalText != "" {
		t.Errorf("equal text: %+v", r)
	}
	for got, want := range map[string]string{
		"one\nTwo\n":        `line 2` + "\n" + `  want "two\n"` + "\n" + `  got  "Two\n"`,
		"one\n":             `line 2` + "\n" + `  want "two\n"` + "\n" + `  got  ""`,
		"one\ntwo\nthree\n": `line 3` + "\n" + `  want ""` + "\n" + `  got  "three\n"`,
		"one\ntwo":          `line 2` + "\n" + `  want "two\n"` + "\n" + `  got  "two"`,
	} {
		if r := compare(got); len(r.Errors) != 1 || !strings.Contains(r.Errors[0], want) {
			t.Errorf("%q: %q, want %q", got, r.Errors, want)
		}
	}
}
