// Updateoffsets derives the table of offsets in internal/goruntime from the DWARF of programs that each release of Go builds.
// Run it through scripts/update-offsets, from the top of the tree.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/goruntime"
)

const tablePath = "internal/goruntime/offsets.txt"

// tableHead stands above the table.
const tableHead = `# Offsets, in bytes, of fields of runtime.g, runtime.m and runtime.p. Written by scripts/update-offsets.
#
# A row holds for its release and for later patch releases of the same minor release, until another row: patch releases have
# moved fields. Behind each row stand the toolchains whose DWARF says so; where one row ends and the next of the same minor
# release begins, they are neighbours. - is a field that the release does not have. The format is what --offsets takes; see
# type Table.
#
# cgo, -race, -msan, -asan and the experiments of GOEXPERIMENT move none of these fields in any of these toolchains: the script
# computes the offsets once more from the runtime's source with each of them, and refuses a release where one differs.

`

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: scripts/update-offsets [RELEASE|GOROOT ...]")
	}
	flag.Parse()
	if err := update(flag.Args(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "update-offsets:", err)
		os.Exit(1)
	}
}

// update rewrites the table; it writes progress to out.
func update(args []string, out io.Writer) error {
	old, err := readTable()
	if err != nil {
		return err
	}
	k, named, err := fromTable(old)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		if len(named) == 0 {
			return errors.New("the table names no toolchain yet: say which releases to start with")
		}
		args, k = named, make(knowledge)
	}
	for _, arg := range args {
		if err := k.learn(arg, out); err != nil {
			return err
		}
	}
	if err := k.closeGaps(out); err != nil {
		return err
	}
	return os.WriteFile(tablePath, []byte(tableHead+k.table().Text()), 0o644)
}

// readTable reads the table in the tree; nil when there is none.
func readTable() (goruntime.Table, error) {
	text, err := os.ReadFile(tablePath)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	return goruntime.ParseTable(tablePath, string(text))
}

var arches = []string{"amd64", "arm64"}

// knowledge is what a toolchain's DWARF said, by release and architecture.
type knowledge map[goruntime.Release]map[string]goruntime.Offsets

// fromTable returns what a table's comments say, and the toolchains they name.
func fromTable(t goruntime.Table) (knowledge, []string, error) {
	k := make(knowledge)
	var named []string
	for _, row := range t {
		for _, version := range strings.Fields(row.Comment) {
			r, ok := goruntime.ParseRelease(version)
			if !ok {
				return nil, nil, fmt.Errorf("%s: row %s %s: comment names %q, which is no release", tablePath, row.From, row.Arch, version)
			}
			if k[r] == nil {
				k[r] = make(map[string]goruntime.Offsets)
				named = append(named, strings.TrimPrefix(version, "go"))
			}
			k[r][row.Arch] = row.Offsets
		}
	}
	return k, named, nil
}

// learn adds a release, or the one installed at a GOROOT.
func (k knowledge) learn(arg string, out io.Writer) error {
	goroot := arg
	if !strings.Contains(arg, "/") {
		var err error
		if goroot, err = fetch(arg); err != nil {
			return err
		}
	}
	r, err := releaseOf(goroot)
	if err != nil {
		return err
	}
	found := make(map[string]goruntime.Offsets)
	for _, arch := range arches {
		o, err := offsetsOf(goroot, arch)
		if err != nil {
			return fmt.Errorf("%s %s: %w", r, arch, err)
		}
		if err := checkVariants(goroot, arch, r, *o); err != nil {
			return fmt.Errorf("%s %s: %w", r, arch, err)
		}
		found[arch] = *o
	}
	k[r] = found
	fmt.Fprintln(out, r)
	return nil
}

// closeGaps fetches releases until those where something moved are neighbours: only so a row's first release is known.
func (k knowledge) closeGaps(out io.Writer) error {
	for {
		gap, ok := k.gap()
		if !ok {
			return nil
		}
		if err := k.learn(strings.TrimPrefix(gap.String(), "go"), out); err != nil {
			return fmt.Errorf("look for the release that moved a field: %w", err)
		}
	}
}

// gap returns a release in the middle between two of one minor release that differ.
func (k knowledge) gap() (goruntime.Release, bool) {
	releases := k.releases()
	for i := 1; i < len(releases); i++ {
		a, b := releases[i-1], releases[i]
		if a.Minor == b.Minor && b.Patch > a.Patch+1 && !maps.Equal(k[a], k[b]) {
			return goruntime.Release{Minor: a.Minor, Patch: (a.Patch + b.Patch) / 2}, true
		}
	}
	return goruntime.Release{}, false
}

// releases returns the known ones, oldest first.
func (k knowledge) releases() []goruntime.Release {
	var list []goruntime.Release
	for r := range k {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b goruntime.Release) int { return (a.Minor-b.Minor)<<16 + a.Patch - b.Patch })
	return list
}

// table has a row for the first known release of each minor release, and for each that moved something.
func (k knowledge) table() goruntime.Table {
	var t goruntime.Table
	last := make(map[string]int) // row by architecture
	for _, r := range k.releases() {
		for _, arch := range arches {
			o, ok := k[r][arch]
			if !ok {
				continue
			}
			i, ok := last[arch]
			if ok && t[i].From.Minor == r.Minor && t[i].Offsets == o {
				t[i].Comment += " " + r.String()
				continue
			}
			last[arch] = len(t)
			t = append(t, goruntime.Row{From: r, Arch: arch, Offsets: o, Comment: r.String()})
		}
	}
	return t
}
