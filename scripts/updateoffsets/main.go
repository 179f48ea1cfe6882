// Updateoffsets rewrites the table internal/goruntime/offsets/offsets.txt. It builds a small
// program with each toolchain, for amd64 and arm64, and takes the offsets from its DWARF. Arguments
// (1.28.0, /usr/local/go) are added to the table. Without arguments it derives the whole table
// again, from the toolchains that its comments name. Toolchains are fetched as modules, verified as
// go does. Run it from the top of the tree.
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

	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

const tablePath = "internal/goruntime/offsets/offsets.txt"

// tableHead is the comment above the table.
const tableHead = `# Offsets, in bytes, of fields of runtime.g, runtime.m and runtime.p. Written by
# scripts/updateoffsets.
#
# A row holds for its release and for later patch releases of the same minor release, up to the next
# row: patch releases have moved fields. The comment of a row names the toolchains whose DWARF has
# these offsets. The last toolchain of a row and the first of the next row of the same minor release
# are neighbours. A - marks a field that the release does not have. --offsets takes this format; see
# type Table.
#
# cgo, -race, -msan, -asan and the experiments of GOEXPERIMENT move none of these fields in any of
# these toolchains: the script computes the offsets also from the runtime's source with each of
# them, and rejects a release where one differs.

`

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: go run ./scripts/updateoffsets [RELEASE|GOROOT ...]")
	}
	flag.Parse()
	if err := update(flag.Args(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "updateoffsets:", err)
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
			return errors.New("the table names no toolchain: give the releases to start with")
		}
		args, k = named, make(known)
	}
	for _, arg := range args {
		if err := k.add(arg, out); err != nil {
			return err
		}
	}
	if err := k.closeGaps(out); err != nil {
		return err
	}
	return os.WriteFile(tablePath, []byte(tableHead+k.table().Text()), 0o644)
}

// readTable reads the table in the tree. It returns nil if the file is empty.
func readTable() (offsets.Table, error) {
	text, err := os.ReadFile(tablePath)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	return offsets.ParseTable(tablePath, string(text))
}

var arches = []string{"amd64", "arm64"}

// known holds the offsets from the DWARF of toolchains, by release and architecture.
type known map[offsets.Release]map[string]offsets.Offsets

// fromTable returns the offsets of the toolchains that the comments of a table name, and the names.
func fromTable(t offsets.Table) (known, []string, error) {
	k := make(known)
	var named []string
	for _, row := range t {
		for _, version := range strings.Fields(row.Comment) {
			r, ok := offsets.ParseRelease(version)
			if !ok {
				return nil, nil, fmt.Errorf("%s: row %s %s: comment names %q, which is not a release",
					tablePath, row.From, row.Arch, version)
			}
			if k[r] == nil {
				k[r] = make(map[string]offsets.Offsets)
				named = append(named, strings.TrimPrefix(version, "go"))
			}
			k[r][row.Arch] = row.Offsets
		}
	}
	return k, named, nil
}

// add adds a release, or the one installed at a GOROOT.
func (k known) add(arg string, out io.Writer) error {
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
	found := make(map[string]offsets.Offsets)
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

// closeGaps fetches releases until those between which a field moved are neighbours. Then the first
// release of each row is known.
func (k known) closeGaps(out io.Writer) error {
	for {
		gap, ok := k.gap()
		if !ok {
			return nil
		}
		if err := k.add(strings.TrimPrefix(gap.String(), "go"), out); err != nil {
			return fmt.Errorf("find the release that moved a field: %w", err)
		}
	}
}

// gap returns a release in the middle between two different ones of a minor release.
func (k known) gap() (offsets.Release, bool) {
	releases := k.releases()
	for i := 1; i < len(releases); i++ {
		a, b := releases[i-1], releases[i]
		if a.Minor == b.Minor && b.Patch > a.Patch+1 && !maps.Equal(k[a], k[b]) {
			return offsets.Release{Minor: a.Minor, Patch: (a.Patch + b.Patch) / 2}, true
		}
	}
	return offsets.Release{}, false
}

// releases returns the known releases, the oldest first.
func (k known) releases() []offsets.Release {
	var list []offsets.Release
	for r := range k {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b offsets.Release) int { return (a.Minor-b.Minor)<<16 + a.Patch - b.Patch })
	return list
}

// table returns a table with a row for the first known release of each minor release, and for each
// that moved a field.
func (k known) table() offsets.Table {
	var t offsets.Table
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
			t = append(t, offsets.Row{From: r, Arch: arch, Offsets: o, Comment: r.String()})
		}
	}
	return t
}
