package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/gosource"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/toolchain"
)

// readRow is a row of docs/results/read.md with lines of a function: its file, functions, "no " and
// code.
var readRow = regexp.MustCompile("^\\| (\\S+) `(\\w+(?:\\.\\w+)?)`(?: or `(\\w+)`)?: (no )?`(.+)` \\|((?: (?:\\d+|–) \\|)+)$")

// The page has the lines as they are in the source of each release that the machine has.
func TestReadLines(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	page, err := os.ReadFile("../../../docs/results/read.md")
	if err != nil {
		t.Fatal(err)
	}
	var releases []string
	trees := map[string]*gosource.Tree{}
	rows, compared := 0, 0
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutPrefix(line, "| | "); ok {
			releases = strings.Split(strings.TrimSuffix(head, " |"), " | ")
			continue
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| **") {
			continue
		}
		m := readRow.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("no row as the test reads it: %s", line)
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(m[6], " |"), " | ")
		if len(cells) != len(releases) {
			t.Fatalf("%d lines for %d releases: %s", len(cells), len(releases), line)
		}
		file := m[1]
		if !strings.Contains(file, "/") {
			file = "runtime/" + file
		}
		for i, release := range releases {
			tree, tried := trees[release]
			if !tried {
				if goroot, err := toolchain.Here(t.Context(), release); err != nil {
					t.Logf("Go %s is not here: %v", release, err)
				} else if tree, err = gosource.Open(goroot); err != nil {
					t.Fatal(err)
				}
				trees[release] = tree
			}
			if tree == nil {
				continue
			}
			compared++
			if got := lineRead(t, tree, file, m[2:4], m[5], m[4] != ""); got != cells[i] {
				t.Errorf("Go %s: line %s, want %s: %s", release, cells[i], got, line)
			}
		}
	}
	if rows < 50 || compared < rows {
		t.Errorf("%d rows, %d lines compared", rows, compared)
	}
}

// lineRead is the line that the first of the functions has the code in, or its own where it must not
// have it.
func lineRead(t *testing.T, tree *gosource.Tree, file string, functions []string, code string, without bool) string {
	for _, name := range functions {
		f, ok, err := tree.Find(file, name)
		switch {
		case err != nil:
			t.Fatal(err)
		case !ok:
			continue
		}
		switch line := f.LineOf(code); {
		case without && line == 0:
			return fmt.Sprint(f.Line)
		case !without && line > 0:
			return fmt.Sprint(line)
		}
	}
	return "–"
}
