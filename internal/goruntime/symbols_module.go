package goruntime

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// A module finds runtime.firstmoduledata, which has the address that the table's offsets of funcdata count from. Before
// Go 1.26, which gives it a section, nothing in a stripped program tells where it is. But it begins with a pointer
// to the table and repeats a dozen words that the table tells, too: what agrees in all of them is no accident.
type module struct {
	img        *image
	s          *space
	tab        *pclntab
	addr       uint64 // link-time address of the table
	text       uint64 // link-time address that function offsets count from
	start, end uint64 // link-time bounds of the functions
}

// Words of runtime.moduledata (runtime/symtab.go), the same in Go 1.18 to 1.27.
const (
	modTab     = 0
	modNames   = 1 // the first of six slices of three words: names, units, files, pcs, funcs, functab
	modMinPC   = 20
	modMaxPC   = 21
	modText    = 22
	modEText   = 23
	modWords   = 48 // as many as the places below need
	modPointer = 8
)

// modPlaces are the words where textsectmap is from release to release, and how far before it gofunc is.
var modPlaces = map[bool][]struct{ textsectmap, back int }{
	false: {{39, 1}},                   // Go 1.18, 1.19
	true:  {{41, 1}, {42, 2}, {45, 2}}, // Go 1.20, 1.26 (epclntab), 1.27 (types and itabs)
}

// gofunc returns the link-time address of the symbol go:func.*.
func (m *module) gofunc() (uint64, error) {
	if sec := m.img.section(".go.module"); sec != nil {
		return m.verify(sec.addr)
	}
	places, err := m.search()
	if err != nil {
		return 0, fmt.Errorf("search moduledata: %w", err)
	}
	var found []uint64
	for _, addr := range places {
		if gofunc, err := m.verify(addr); err == nil {
			found = append(found, gofunc)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("found moduledata %d times", len(found))
	}
	return found[0], nil
}

// search returns where in the program's data a pointer to the table is.
func (m *module) search() ([]uint64, error) {
	var places []uint64
	left := budget(maxSearch)
	for _, p := range m.img.progs {
		if elf.ProgType(p.Type) != elf.PT_LOAD || elf.ProgFlag(p.Flags)&(elf.PF_W|elf.PF_X) != elf.PF_W {
			continue
		}
		first := (p.Vaddr + modPointer - 1) &^ (modPointer - 1)
		size := int64(p.Filesz) - int64(first-p.Vaddr)
		if size < 0 {
			continue
		}
		w := newWindow(m.s.readerAt(first), size, &left)
		for off := int64(0); off+modPointer <= size; off += modPointer {
			b, err := w.at(off, modPointer)
			if err != nil {
				return nil, err
			}
			if binary.LittleEndian.Uint64(b)-m.s.bias != m.addr {
				continue
			}
			if len(places) == maxHits {
				return nil, fmt.Errorf("more than %d pointers to pclntab: %w", maxHits, errLimit)
			}
			places = append(places, first+uint64(off))
		}
	}
	return places, nil
}

// verify returns the gofunc of the moduledata at addr if it is one.
func (m *module) verify(addr uint64) (uint64, error) {
	buf := make([]byte, modWords*8)
	if err := m.s.read(buf, addr); err != nil {
		return 0, fmt.Errorf("read moduledata: %w", err)
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(buf[8*i:]) }
	pointer := func(i int) uint64 { return word(i) - m.s.bias }

	ok := pointer(modTab) == m.addr && pointer(modMinPC) == m.start && pointer(modMaxPC) == m.end && pointer(modText) == m.text &&
		pointer(modEText) >= m.end
	for i, off := range []int64{m.tab.names, m.tab.units, m.tab.files, m.tab.pcs, m.tab.funcs, m.tab.functab} {
		at := modNames + 3*i
		ok = ok && pointer(at) == m.addr+uint64(off) && word(at+1) == word(at+2)
	}
	const functab = modNames + 3*5
	if !ok || word(functab+1) != uint64(m.tab.nfunc)+1 {
		return 0, errors.New("moduledata does not agree with pclntab")
	}
	var found []uint64
	for _, place := range modPlaces[m.tab.layout.startLine] {
		at := place.textsectmap
		if word(at+1) == word(at+2) && m.isTextMap(pointer(at), word(at+1)) {
			found = append(found, pointer(at-place.back))
		}
	}
	if len(found) != 1 {
		return 0, errors.New("moduledata is of an unknown layout")
	}
	return found[0], nil
}

// isTextMap reports whether the slice of n elements at addr is runtime.textsectmap: one text section from 0 on, at m.text.
// A program with more of them, which no linker for amd64 or arm64 makes on Linux, would need its functions looked up by it.
func (m *module) isTextMap(addr, n uint64) bool {
	if n != 1 {
		return false
	}
	var buf [24]byte // vaddr, end, baseaddr
	if m.s.read(buf[:], addr) != nil {
		return false
	}
	return binary.LittleEndian.Uint64(buf[:]) == 0 && binary.LittleEndian.Uint64(buf[8:]) >= m.end-m.text &&
		binary.LittleEndian.Uint64(buf[16:])-m.s.bias == m.text
}
