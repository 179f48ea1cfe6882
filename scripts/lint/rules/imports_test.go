package rules

import (
	"slices"
	"testing"
)

func TestProblems(t *testing.T) {
	table, err := parseTable(`
# a comment
a: b c/... # and another
a tests: help
a never: os
all: *
gone: a
`)
	if err != nil {
		t.Fatal(err)
	}
	ours := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, module+n)
		}
		return paths
	}
	got := table.problems([]goPackage{
		{
			ImportPath:   module + "a",
			Imports:      append(ours("b", "c", "c/d", "cc", "help"), "fmt", "os", "os/exec", "ospath"),
			TestImports:  ours("b", "help"),
			XTestImports: append(ours("a", "e"), "os"),
		},
		{ImportPath: module + "all", Imports: ours("a", "e"), TestImports: ours("all")},
		{ImportPath: module + "leaf", Imports: ours("a"), XTestImports: ours("leaf", "a")},
	})
	want := []string{
		"a must never import os",
		"a must never import os/exec",
		"a must not import cc",
		"a must not import help",
		"imports.txt has a line for gone, which is no package",
		"leaf must not import a",
		"tests of a must not import e",
		"tests of leaf must not import a",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestParseTableErrors(t *testing.T) {
	for _, bad := range []string{"a b", "a maybe: b", ": b", "a b c: d", "a: b\na: c"} {
		if _, err := parseTable(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
