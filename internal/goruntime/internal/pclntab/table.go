package pclntab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// A table reads the pclntab of a program. It holds small pieces, never the whole: there are tables
// of 100 MB, and debug/gosym allocates some 300 bytes for each function. The layouts are in
// internal/abi/symtab.go, runtime/symtab.go and debug/gosym/pclntab.go of the Go source.
//
// Relocations change the function addresses before Go 1.18, and the text start from 1.18 to 1.25.
// These are read from relocated, word by word. All else is read from the file: the target may not
// have mapped its pages.
type table struct {
	size      int64
	file      *objfile.View // for single accesses; each scan has its views
	r         io.ReaderAt   // the table in the file
	relocated io.ReaderAt   // the table in the program's memory, or r where that cannot be read

	layout  layout
	quantum uint32 // unit of program counters in bytes: 1 on amd64, 4 on arm64
	nfunc   int64
	names   int64 // start of the names
	nameLen int64 // upper bound of the length of the names
	units   int64 // start of the compilation units' lists of files; before Go 1.16 there are none
	files   int64 // start of the file names; before Go 1.16 of the list of their offsets
	pcs     int64 // start of the tables by program counter
	functab int64 // nfunc rows of (entry, offset of the func), and one entry more: the end of the last function
	funcs   int64 // origin of the func offsets
}

// A layout holds the differences between releases.
type layout struct {
	headerWords int   // of 8 bytes, after the 8 bytes of magic and sizes
	textStart   bool  // the header has a word for the address that entries count from (zero since Go 1.26)
	field       int64 // size of a row's field and of a func's entry: 8 = an address, 4 = an offset from the text start
	startLine   bool  // funcs and inlined calls hold the line that their function starts at
	// hidden: an obfuscator has replaced the magic number and encrypted the entries in funcs, as
	// garble does (runtime_patch.go there). The rows still hold the entries.
	hidden bool

	first, last int // minor releases of Go 1 that write it
}

// layouts are by magic number; Go 1.2, 1.16, 1.18 and 1.20 introduced them.
var layouts = map[uint32]layout{
	0xfffffffb: {headerWords: 1, field: 8, first: 2, last: 15},
	0xfffffffa: {headerWords: 7, field: 8, first: 16, last: 17},
	0xfffffff0: {headerWords: 8, field: 4, textStart: true, first: 18, last: 19},
	0xfffffff1: {headerWords: 8, field: 4, textStart: true, startLine: true, first: 20, last: math.MaxInt},
}

const (
	newestMagic = 0xfffffff1
	prefixSize  = 8                // magic, two zeros, instruction quantum, pointer size
	maxHeader   = prefixSize + 8*8 // of the layouts above
)

// isPrefix reports whether b begins like a table of a 64-bit program, whatever its magic number.
func isPrefix(b []byte) bool {
	return b[4] == 0 && b[5] == 0 && (b[6] == 1 || b[6] == 2 || b[6] == 4) && b[7] == 8
}

// isHeader reports whether b, of maxHeader bytes, may be the header of a table in size bytes.
func isHeader(b []byte, size int64) bool {
	if !isPrefix(b) {
		return false
	}
	if _, known := layouts[binary.LittleEndian.Uint32(b)]; known {
		return true
	}
	var words [maxHeader/8 - 1]int64
	for i := range words {
		words[i] = int64(binary.LittleEndian.Uint64(b[prefixSize+8*i:]))
	}
	return isHidden(words[:], size)
}

// isHidden reports whether these are the words of a header of the newest layout: the names follow
// it, and each part follows the one before.
func isHidden(words []int64, size int64) bool {
	const names = 3
	parts := words[names:]
	return words[0] > 0 && parts[0] == maxHeader && slices.IsSorted(parts) &&
		parts[0] < parts[len(parts)-1] && parts[len(parts)-1] < size
}

// readTable reads the header of the table in r, which has size bytes.
func readTable(r io.ReaderAt, size int64, relocated io.ReaderAt) (*table, error) {
	left := objfile.Budget(objfile.ReadBudget)
	t := &table{size: size, r: r, relocated: relocated, file: objfile.NewView(r, size, &left)}
	prefix, err := t.file.Bytes(0, prefixSize)
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	magic := binary.LittleEndian.Uint32(prefix)
	quantum := prefix[6]
	l, known := layouts[magic]
	if !known {
		l = layouts[newestMagic]
		l.hidden = true
	}
	if !isPrefix(prefix) {
		return nil, fmt.Errorf("not a table of a 64-bit program: % x", prefix)
	}
	header, err := t.file.Bytes(prefixSize, 8*l.headerWords)
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	words := make([]int64, l.headerWords)
	for i := range words {
		words[i] = int64(binary.LittleEndian.Uint64(header[8*i:]))
	}
	if l.hidden && !isHidden(words, size) {
		return nil, fmt.Errorf("%w: it begins with %#x", ErrUnknown, magic)
	}
	t.layout, t.quantum, t.nfunc = l, uint32(quantum), words[0]
	if l.headerWords == 1 {
		// The offsets of names, rows and funcs all count from the start of the table. Names are anywhere
		// in it.
		t.functab, t.nameLen = prefixSize+8, size
	} else {
		offsets := words[l.headerWords-5:] // of names, compilation units, files, pc tables, functab and funcs
		t.names, t.nameLen = offsets[0], offsets[1]-offsets[0]
		t.units, t.files, t.pcs = offsets[1], offsets[2], offsets[3]
		t.functab, t.funcs = offsets[4], offsets[4]
	}
	return t, t.check()
}

// searchTable returns the offset of the one table in the size bytes of r. Linkers align it to 32
// bytes.
func searchTable(r io.ReaderAt, size int64) (int64, error) {
	const align = 32
	left := objfile.Budget(objfile.ReadBudget)
	w := objfile.NewView(r, size, &left)
	place := int64(-1)
	for off := int64(0); off+prefixSize <= size; off += align {
		b, err := w.Bytes(off, prefixSize)
		if err != nil {
			return 0, err
		}
		if _, ok := layouts[binary.LittleEndian.Uint32(b)]; !ok || !isPrefix(b) {
			continue
		}
		if place >= 0 {
			return 0, fmt.Errorf("found at %#x and at %#x", place, off)
		}
		place = off
	}
	if place < 0 {
		return 0, errors.New("not found")
	}
	return place, nil
}

// check rejects headers with which a later sum of an offset and a bounded count could overflow.
func (t *table) check() error {
	if t.names < 0 || t.nameLen < 0 || t.names > t.size || t.nameLen > t.size-t.names {
		return errors.New("names outside the table")
	}
	row := 2 * t.layout.field
	if t.functab < 0 || t.functab > t.size || t.nfunc < 0 || t.nfunc > (t.size-t.functab)/row ||
		t.nfunc*row+t.layout.field > t.size-t.functab {
		return fmt.Errorf("%d functions do not fit into the table", t.nfunc)
	}
	return nil
}

// textStart returns the header's text start, relocated. It is 0 if the layout or the release has
// none.
func (t *table) textStart() (uint64, error) {
	if !t.layout.textStart {
		return 0, nil
	}
	return t.word(prefixSize + 2*8)
}

// find scans the table and returns the entries of the named functions that it has exactly once.
// They are relocated addresses if t.layout.field is 8, and offsets from the text start if it is 4.
func (t *table) find(names ...string) (map[string]uint64, error) {
	left := objfile.Budget(objfile.ReadBudget)
	hits, err := objfile.NewView(t.r, t.size, &left).FindStrings(t.names, t.nameLen, names)
	if err != nil {
		return nil, fmt.Errorf("read function names: %w", err)
	}
	found := make(map[string]uint64)
	twice := make(map[string]bool)
	rows, funcs := objfile.NewView(t.r, t.size, &left), objfile.NewView(t.r, t.size, &left)
	for i := int64(0); i < t.nfunc && len(hits) > 0; i++ {
		fn, err := t.funcOff(rows, i)
		if err != nil {
			return nil, fmt.Errorf("read function %d: %w", i, err)
		}
		nameOff, err := funcs.Bytes(fn+t.layout.field, 4)
		if err != nil {
			return nil, fmt.Errorf("read function %d: %w", i, err)
		}
		name, hit := hits[binary.LittleEndian.Uint32(nameOff)]
		if !hit {
			continue
		}
		entry, err := t.entry(t.functab + i*2*t.layout.field)
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

// bounds returns the entry of the first function and the end of the last, in the form that find
// returns.
func (t *table) bounds() (first, last uint64, err error) {
	if first, err = t.entry(t.functab); err != nil {
		return 0, 0, err
	}
	last, err = t.entry(t.functab + t.nfunc*2*t.layout.field)
	return first, last, err
}

// funcOff returns the offset in the table of the func of row i.
func (t *table) funcOff(rows *objfile.View, i int64) (int64, error) {
	b, err := rows.Bytes(t.functab+i*2*t.layout.field+t.layout.field, int(t.layout.field))
	if err != nil {
		return 0, err
	}
	off := uint64(binary.LittleEndian.Uint32(b))
	if t.layout.field == 8 {
		off = binary.LittleEndian.Uint64(b)
	}
	if off > uint64(t.size-t.funcs) {
		return 0, fmt.Errorf("offset %#x outside the table", off)
	}
	return t.funcs + int64(off), nil
}

// entry returns the entry that the row at the offset row starts with, in the form that find
// returns.
func (t *table) entry(row int64) (uint64, error) {
	if t.layout.field == 8 {
		return t.word(row)
	}
	b, err := t.file.Bytes(row, 4)
	if err != nil {
		return 0, err
	}
	return uint64(binary.LittleEndian.Uint32(b)), nil
}

// word returns the relocated 8 bytes at off.
func (t *table) word(off int64) (uint64, error) {
	if off < 0 || off > t.size-8 {
		return 0, fmt.Errorf("offset %#x outside a table of %#x bytes", off, t.size)
	}
	var b [8]byte
	if n, err := t.relocated.ReadAt(b[:], off); n < len(b) {
		return 0, fmt.Errorf("read offset %#x: %w", off, err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
