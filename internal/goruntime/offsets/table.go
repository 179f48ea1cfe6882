package offsets

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
)

//go:embed offsets.txt
var builtinText string

// A Table holds offsets by release and architecture.
//
// Its text has a header line with the names of the columns, then one row per release and
// architecture; # starts a comment.
//
//	release  arch   g.m  g.atomicstatus  …  p.id
//	go1.26   amd64  48   144             …  0
//
// Columns may be in any order. A row holds for its release and for later patch releases of the same
// minor release, up to the next row: with the rows go1.23 and go1.23.9, 1.23.9 moved something.
// Offsets are decimal, in bytes. A - marks a field that the release does not have; only m.isextra
// may be absent.
type Table []Row

// A Row of a table.
type Row struct {
	From    Release // the first patch release that it holds for
	Arch    string  // "amd64" or "arm64"
	Offsets Offsets
	Comment string // at the end of the row; in the built-in table the toolchains whose DWARF has these offsets
}

// maxTable bounds the text of a table in bytes: a user may give any file as one.
const maxTable = 256 << 10

// A TableError describes an error in a table of offsets, and its place.
type TableError struct {
	File string
	Line int // 0: the file as a whole
	Err  error
}

func (e *TableError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("offsets file %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("offsets file %s, line %d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the error without its place.
func (e *TableError) Unwrap() error { return e.Err }

// ReadTable reads the table in a file. Errors are TableErrors.
func ReadTable(path string) (Table, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO without a writer must not block
	if err != nil {
		return nil, &TableError{File: path, Err: errors.Unwrap(err)} // without the path, which TableError holds
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return nil, &TableError{File: path, Err: errors.New("not a regular file")}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	if err != nil {
		return nil, &TableError{File: path, Err: errors.Unwrap(err)}
	}
	if len(text) > maxTable {
		return nil, &TableError{File: path, Err: fmt.Errorf("larger than %d KiB, so not a table of offsets", maxTable>>10)}
	}
	return ParseTable(path, string(text))
}

// ParseTable parses the text of a table. Errors are TableErrors for the given file.
func ParseTable(file, text string) (Table, error) {
	var t Table
	var columns []string
	line := 0
	for raw := range strings.Lines(text) {
		line++
		content, comment, _ := strings.Cut(raw, "#")
		words := strings.Fields(content)
		if len(words) == 0 {
			continue
		}
		var err error
		if columns == nil {
			columns, err = words, checkColumns(words)
		} else {
			t, err = t.add(columns, words, strings.Join(strings.Fields(comment), " "))
		}
		if err != nil {
			return nil, &TableError{File: file, Line: line, Err: err}
		}
	}
	if len(t) == 0 {
		return nil, &TableError{File: file, Err: errors.New("no row")}
	}
	return t, nil
}

// checkColumns checks that a header line has every column once.
func checkColumns(columns []string) error {
	seen := make(map[string]bool)
	for _, c := range columns {
		if seen[c] {
			return fmt.Errorf("column %.40q twice", c)
		}
		seen[c] = true
	}
	for _, c := range tableColumns() {
		if !seen[c] {
			return fmt.Errorf("the header has no column %s (the columns are %s)", c, strings.Join(tableColumns(), " "))
		}
		delete(seen, c)
	}
	for c := range seen {
		return fmt.Errorf("unknown column %.40q", c)
	}
	return nil
}

// tableColumns returns the names of a table's columns, in the order in which Text writes them.
func tableColumns() []string {
	names := []string{"release", "arch"}
	for _, f := range fields {
		names = append(names, f.column())
	}
	return names
}

// add appends the row of the given words.
func (t Table) add(columns, words []string, comment string) (Table, error) {
	if len(words) != len(columns) {
		return nil, fmt.Errorf("%d words in a table of %d columns", len(words), len(columns))
	}
	value := make(map[string]string)
	for i, c := range columns {
		value[c] = words[i]
	}
	row := Row{Arch: value["arch"], Comment: comment}
	var ok bool
	if row.From, ok = ParseRelease(value["release"]); !ok || row.From.String() != value["release"] {
		return nil, fmt.Errorf("release %.40q is not of the form go1.26 or go1.26.8", value["release"])
	}
	if row.Arch != "amd64" && row.Arch != "arm64" {
		return nil, fmt.Errorf("architecture %.40q is neither amd64 nor arm64", row.Arch)
	}
	for _, f := range fields {
		word := value[f.column()]
		if word == "-" && f.optional {
			*f.offset(&row.Offsets) = Absent
			continue
		}
		n, err := strconv.ParseUint(word, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%s: %.40q is not a decimal number of bytes", f.column(), word)
		}
		*f.offset(&row.Offsets) = uint32(n)
	}
	if err := row.Offsets.check(); err != nil {
		return nil, err
	}
	for _, other := range t {
		if other.From == row.From && other.Arch == row.Arch {
			return nil, fmt.Errorf("second row for %s %s", row.From, row.Arch)
		}
	}
	return append(t, row), nil
}

// Find returns the offsets of a release, or nil if no row holds for it.
func (t Table) Find(r Release, arch string) *Offsets {
	var best *Row
	for i := range t {
		row := &t[i]
		if row.Arch != arch || row.From.Minor != r.Minor || row.From.Patch > r.Patch {
			continue
		}
		if best == nil || best.From.Patch < row.From.Patch {
			best = row
		}
	}
	if best == nil {
		return nil
	}
	o := best.Offsets
	return &o
}

// Only returns the offsets of the only row for an architecture, or nil if there is another number of
// rows.
func (t Table) Only(arch string) (only *Offsets) {
	for _, row := range t {
		if row.Arch != arch {
			continue
		}
		if only != nil {
			return nil
		}
		only = &row.Offsets
	}
	return only
}

// Proves reports whether the table has the offsets from the toolchain of r or of a later patch
// release of the same minor release. For patch releases younger than the table, Find assumes that
// they moved nothing.
func (t Table) Proves(r Release, arch string) bool {
	for _, row := range t {
		if row.Arch != arch || row.From.Minor != r.Minor {
			continue
		}
		for _, word := range strings.Fields(row.Comment) {
			if known, ok := ParseRelease(word); ok && known.Minor == r.Minor && known.Patch >= r.Patch {
				return true
			}
		}
	}
	return false
}

// ForVersion is Find for a version in the form of runtime.Version.
func (t Table) ForVersion(version, arch string) *Offsets {
	r, ok := ParseRelease(version)
	if !ok {
		return nil
	}
	return t.Find(r, arch)
}

// Text returns the text of the table, in aligned columns.
func (t Table) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, strings.Join(tableColumns(), "\t"))
	for i := range t {
		row := &t[i]
		fmt.Fprintf(w, "%s\t%s", row.From, row.Arch)
		for _, f := range fields {
			if at := *f.offset(&row.Offsets); at == Absent {
				fmt.Fprint(w, "\t-")
			} else {
				fmt.Fprintf(w, "\t%d", at)
			}
		}
		if row.Comment != "" {
			fmt.Fprintf(w, "\t# %s", row.Comment)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return b.String()
}

// Builtin returns the built-in table, which must not be changed.
func Builtin() (Table, error) { return builtin() }

var builtin = sync.OnceValues(func() (Table, error) { return ParseTable("offsets.txt", builtinText) })
