package goruntime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A pclntab reads the table every Go program carries, stripped or not, to name its functions. It holds windows of the
// table, never all of it: tables of 100 MB exist, and debug/gosym turns each function into some 300 bytes of heap.
// See internal/abi/symtab.go, runtime/symtab.go and debug/gosym/pclntab.go of the Go source for the layouts.
//
// What a relocation changes when the program is loaded (function addresses before Go 1.18, the text start from 1.18 to
// 1.25) is read one word at a time from relocated; everything else from the file, whose pages the target need not map.
type pclntab struct {
	size      int64
	file      *window     // for single accesses; scans make windows of their own
	r         io.ReaderAt // the table in the file
	relocated io.ReaderAt // the table as the program sees it, or r when there is no better

	layout  layout
	quantum uint32 // bytes that program counters count in: 1 on amd64, 4 on arm64
	nfunc   int64
	names   int64 // start of the names
	nameLen int64 // length of the names, as far as it is known
	units   int64 // start of the compilation units' lists of files; before Go 1.16 there are none
	files   int64 // start of the file names; before Go 1.16 of the list of them
	pcs     int64 // start of the tables by program counter
	functab int64 // nfunc rows of (entry, offset of the func), and one entry more: the end of the last
	funcs   int64 // what the func offsets count from
}

// A layout is what changed from release to release.
type layout struct {
	headerWords int   // of 8 bytes, after the 8 bytes of magic and sizes
	textStart   bool  // the header has a word for the address that entries count from (zero since Go 1.26)
	field       int64 // size of a row's field and of a func's entry: 8 = an address, 4 = an offset from the text start
	startLine   bool  // funcs and inlined calls tell the line their function starts at
}

// layouts by magic number; Go 1.2, 1.16, 1.18 and 1.20 introduced them.
var layouts = map[uint32]layout{
	0xfffffffb: {headerWords: 1, field: 8},
	0xfffffffa: {headerWords: 7, field: 8},
	0xfffffff0: {headerWords: 8, field: 4, textStart: true},
	0xfffffff1: {headerWords: 8, field: 4, textStart: true, startLine: true},
}

const pclntabPrefix = 8 // magic, two zeros, instruction quantum, pointer size

// openPclntab reads the header of the table of the given size in r.
func openPclntab(r io.ReaderAt, size int64, relocated io.ReaderAt) (*pclntab, error) {
	left := budget(readBudget)
	t := &pclntab{size: size, r: r, relocated: relocated, file: newWindow(r, size, &left)}
	prefix, err := t.file.at(0, pclntabPrefix)
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	magic := binary.LittleEndian.Uint32(prefix)
	quantum, pointer := prefix[6], prefix[7]
	l, ok := layouts[magic]
	if !ok {
		return nil, fmt.Errorf("unknown layout %#x", magic)
	}
	if prefix[4] != 0 || prefix[5] != 0 || quantum != 1 && quantum != 2 && quantum != 4 || pointer != 8 {
		return nil, fmt.Errorf("not a table of a 64-bit program: % x", prefix)
	}
	header, err := t.file.at(pclntabPrefix, 8*l.headerWords)
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	words := make([]int64, l.headerWords)
	for i := range words {
		words[i] = int64(binary.LittleEndian.Uint64(header[8*i:]))
	}
	t.layout, t.quantum, t.nfunc = l, uint32(quantum), words[0]
	if l.headerWords == 1 {
		// One table: names, rows and funcs all count from its start, names stand anywhere in it.
		t.functab, t.nameLen = pclntabPrefix+8, size
	} else {
		offsets := words[l.headerWords-5:] // of names, compilation units, files, pc tables, functab and funcs
		t.names, t.nameLen = offsets[0], offsets[1]-offsets[0]
		t.units, t.files, t.pcs = offsets[1], offsets[2], offsets[3]
		t.functab, t.funcs = offsets[4], offsets[4]
	}
	return t, t.check()
}

// findPclntab returns the offset of the only table in the size bytes of r. Linkers align it to 32 bytes.
func findPclntab(r io.ReaderAt, size int64) (int64, error) {
	const align = 32
	left := budget(readBudget)
	w := newWindow(r, size, &left)
	at := int64(-1)
	for off := int64(0); off+pclntabPrefix <= size; off += align {
		b, err := w.at(off, pclntabPrefix)
		if err != nil {
			return 0, err
		}
		if _, ok := layouts[binary.LittleEndian.Uint32(b)]; !ok || b[4] != 0 || b[5] != 0 || b[7] != 8 {
			continue
		}
		if at >= 0 {
			return 0, fmt.Errorf("found at %#x and at %#x", at, off)
		}
		at = off
	}
	if at < 0 {
		return 0, errors.New("not found")
	}
	return at, nil
}

// check makes every later sum of an offset and a bounded count safe from overflow.
func (t *pclntab) check() error {
	if t.names < 0 || t.nameLen < 0 || t.names > t.size || t.nameLen > t.size-t.names {
		return errors.New("names lie outside the table")
	}
	row := 2 * t.layout.field
	if t.functab < 0 || t.functab > t.size || t.nfunc < 0 || t.nfunc > (t.size-t.functab)/row ||
		t.nfunc*row+t.layout.field > t.size-t.functab {
		return fmt.Errorf("%d functions do not fit into the table", t.nfunc)
	}
	return nil
}

// textStart returns the header's text start as stored where the table is relocated; 0 when the layout or the release has none.
func (t *pclntab) textStart() (uint64, error) {
	if !t.layout.textStart {
		return 0, nil
	}
	return t.word(pclntabPrefix + 2*8)
}

// find returns the entries of those of the named functions that the table has exactly once: addresses as stored where
// the table is relocated when t.layout.field is 8, offsets from the text start when it is 4. It scans the table.
func (t *pclntab) find(names ...string) (map[string]uint64, error) {
	left := budget(readBudget)
	hits, err := newWindow(t.r, t.size, &left).find(t.names, t.nameLen, names)
	if err != nil {
		return nil, fmt.Errorf("read function names: %w", err)
	}
	found := make(map[string]uint64)
	twice := make(map[string]bool)
	rows, funcs := newWindow(t.r, t.size, &left), newWindow(t.r, t.size, &left)
	for i := int64(0); i < t.nfunc && len(hits) > 0; i++ {
		fn, err := t.funcOff(rows, i)
		if err != nil {
			return nil, fmt.Errorf("read function %d: %w", i, err)
		}
		nameOff, err := funcs.at(fn+t.layout.field, 4)
		if err != nil {
			return nil, fmt.Errorf("read function %d: %w", i, err)
		}
		name, hit := hits[binary.LittleEndian.Uint32(nameOff)]
		if !hit {
			continue
		}
		entry, err := t.entry(fn)
		if err != nil {
			return nil, fmt.Errorf("read entry of %s: %w", name, err)
		}
		if _, ok := found[name]; ok {
			twice[name] = true
		}
		found[name] = entry
	}
	for name := range twice {
		delete(found, name)
	}
	return found, nil
}

// bounds returns where the first function starts and the last ends, stored as what find returns is.
func (t *pclntab) bounds() (first, last uint64, err error) {
	if first, err = t.entry(t.functab); err != nil {
		return 0, 0, err
	}
	last, err = t.entry(t.functab + t.nfunc*2*t.layout.field)
	return first, last, err
}

// funcOff returns the offset in the table of function i, read through w.
func (t *pclntab) funcOff(w *window, i int64) (int64, error) {
	b, err := w.at(t.functab+i*2*t.layout.field+t.layout.field, int(t.layout.field))
	if err != nil {
		return 0, err
	}
	off := uint64(binary.LittleEndian.Uint32(b))
	if t.layout.field == 8 {
		off = binary.LittleEndian.Uint64(b)
	}
	if off > uint64(t.size-t.funcs) {
		return 0, fmt.Errorf("offset %#x lies outside the table", off)
	}
	return t.funcs + int64(off), nil
}

// entry returns the address that the func, or the row, at fn starts with.
func (t *pclntab) entry(fn int64) (uint64, error) {
	if t.layout.field == 8 {
		return t.word(fn)
	}
	b, err := t.file.at(fn, 4)
	if err != nil {
		return 0, err
	}
	return uint64(binary.LittleEndian.Uint32(b)), nil
}

// word reads eight relocated bytes.
func (t *pclntab) word(off int64) (uint64, error) {
	if off < 0 || off > t.size-8 {
		return 0, fmt.Errorf("offset %#x lies outside a table of %#x bytes", off, t.size)
	}
	var b [8]byte
	if n, err := t.relocated.ReadAt(b[:], off); n < len(b) {
		return 0, fmt.Errorf("read offset %#x: %w", off, err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
