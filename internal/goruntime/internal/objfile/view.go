package objfile

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// ViewSize is the number of bytes of a table that a View holds in memory.
	ViewSize = 64 << 10
	// ReadBudget is the Budget of an ordinary look-up, in bytes: a few times the tables of the largest
	// programs known.
	ReadBudget = 512 << 20

	maxHits = 64 // places where the names of one look-up may occur: a string table holds each name once
)

// A Budget is the number of bytes that a look-up may still read. It bounds the time of a look-up,
// as ViewSize bounds its memory: with forged offsets every access can miss the bytes that a View
// holds.
type Budget int64

func (b *Budget) take(n int) error {
	if *b -= Budget(n); *b < 0 {
		return fmt.Errorf("table needs more than %d MiB of reads: %w", ReadBudget>>20, ErrLimit)
	}
	return nil
}

// A View reads small pieces of a large table and holds ViewSize bytes of it. It suits ascending
// offsets.
type View struct {
	r      io.ReaderAt
	size   int64 // of the table, in bytes; every access lies within it
	budget *Budget

	buf []byte // the bytes at off
	off int64
}

// NewView returns a View of the first size bytes of r. Views of one look-up share its budget.
func NewView(r io.ReaderAt, size int64, b *Budget) *View {
	return &View{r: r, size: size, budget: b}
}

// Bytes returns the n bytes at off, valid until the next call. The range must lie in the table.
func (v *View) Bytes(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || off > v.size-int64(n) {
		return nil, fmt.Errorf("%d bytes at offset %#x lie outside a table of %#x bytes", n, off, v.size)
	}
	if off < v.off || off+int64(n) > v.off+int64(len(v.buf)) {
		if err := v.load(off, n); err != nil {
			return nil, err
		}
	}
	i := off - v.off
	return v.buf[i : i+int64(n)], nil
}

func (v *View) load(off int64, n int) error {
	want := int(min(int64(max(ViewSize, n)), v.size-off))
	if err := v.budget.take(want); err != nil {
		return err
	}
	if cap(v.buf) < want {
		v.buf = make([]byte, want)
	}
	v.buf, v.off = v.buf[:want], off
	got, err := v.r.ReadAt(v.buf, off)
	v.buf = v.buf[:got]
	if got < n {
		return fmt.Errorf("read %d bytes at offset %#x: %w", want, off, err)
	}
	return nil
}

// FindStrings searches the size bytes at off for the names, each ended by a zero byte. It returns
// the name by its place, counted from off. Any byte may precede a name: linkers let one string be
// the tail of another.
func (v *View) FindStrings(off, size int64, names []string) (map[uint32]string, error) {
	longest := 0
	patterns := make([][]byte, len(names))
	for i, name := range names {
		patterns[i] = append([]byte(name), 0)
		longest = max(longest, len(patterns[i]))
	}
	hits := make(map[uint32]string)
	for pos := int64(0); pos < size; pos += ViewSize {
		// Chunks overlap by the longest name less one byte, so that each place is whole in exactly one of
		// them.
		chunk, err := v.Bytes(off+pos, int(min(int64(ViewSize+longest-1), size-pos)))
		if err != nil {
			return nil, err
		}
		for i, pattern := range patterns {
			for next := 0; ; {
				at := bytes.Index(chunk[next:], pattern)
				if at < 0 || next+at >= ViewSize {
					break
				}
				if len(hits) == maxHits {
					return nil, fmt.Errorf("names found at more than %d places: %w", maxHits, ErrLimit)
				}
				if place := pos + int64(next+at); place <= 1<<32-1 { // tables refer to names by 32-bit offsets
					hits[uint32(place)] = names[i]
				}
				next += at + 1
			}
		}
	}
	return hits, nil
}
