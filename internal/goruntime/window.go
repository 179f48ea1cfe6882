package goruntime

import (
	"bytes"
	"fmt"
	"io"
)

const (
	windowSize = 64 << 10  // bytes of a table held in memory at a time
	readBudget = 512 << 20 // bytes one look-up may read in all: a few times the tables of the largest programs known

	maxHits = 64 // places where one look-up's names may occur: a string table holds each name once
)

// A budget is how many bytes a look-up may still read. It bounds time as windows bound memory: a forged table can
// name offsets that make every access miss its window.
type budget int64

func (b *budget) take(n int) error {
	if *b -= budget(n); *b < 0 {
		return fmt.Errorf("table needs more than %d MiB of reads: %w", readBudget>>20, errLimit)
	}
	return nil
}

// A window reads small pieces of a large table, mostly in ascending order, and keeps windowSize bytes of it.
type window struct {
	r      io.ReaderAt
	size   int64 // of the table; no access reaches beyond
	budget *budget

	buf []byte // the bytes at off
	off int64
}

func newWindow(r io.ReaderAt, size int64, b *budget) *window {
	return &window{r: r, size: size, budget: b}
}

// at returns the n bytes at off, valid until the next call. The range must lie in the table.
func (w *window) at(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || off > w.size-int64(n) {
		return nil, fmt.Errorf("%d bytes at offset %#x lie outside a table of %#x bytes", n, off, w.size)
	}
	if off < w.off || off+int64(n) > w.off+int64(len(w.buf)) {
		if err := w.load(off, n); err != nil {
			return nil, err
		}
	}
	i := off - w.off
	return w.buf[i : i+int64(n)], nil
}

func (w *window) load(off int64, n int) error {
	want := int(min(int64(max(windowSize, n)), w.size-off))
	if err := w.budget.take(want); err != nil {
		return err
	}
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.off = w.buf[:want], off
	got, err := w.r.ReadAt(w.buf, off)
	w.buf = w.buf[:got]
	if got < n {
		return fmt.Errorf("read %d bytes at offset %#x: %w", want, off, err)
	}
	return nil
}

// find returns the offsets, from off, of every place in the size bytes at off where one of the names stands, ended by
// a zero byte. What stands before it does not matter: linkers let one string be the tail of another.
func (w *window) find(off, size int64, names []string) (map[uint32]string, error) {
	longest := 0
	patterns := make([][]byte, len(names))
	for i, name := range names {
		patterns[i] = append([]byte(name), 0)
		longest = max(longest, len(patterns[i]))
	}
	hits := make(map[uint32]string)
	for pos := int64(0); pos < size; pos += windowSize {
		// Windows overlap by a name's length less one, so that each place is seen whole exactly once.
		chunk, err := w.at(off+pos, int(min(int64(windowSize+longest-1), size-pos)))
		if err != nil {
			return nil, err
		}
		for i, pattern := range patterns {
			for from := 0; ; {
				at := bytes.Index(chunk[from:], pattern)
				if at < 0 || from+at >= windowSize {
					break
				}
				if len(hits) == maxHits {
					return nil, fmt.Errorf("more than %d strings in question: %w", maxHits, errLimit)
				}
				if place := pos + int64(from+at); place <= 1<<32-1 { // no table can refer beyond
					hits[uint32(place)] = names[i]
				}
				from += at + 1
			}
		}
	}
	return hits, nil
}
