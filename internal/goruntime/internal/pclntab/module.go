package pclntab

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// A module finds runtime.firstmoduledata, which holds the origin of the table's offsets of
// funcdata. It has a section since Go 1.26. Before, nothing in a stripped program gives its place.
// But it begins with a pointer to the table and repeats a dozen words of the table. Data that
// agrees in all of them is moduledata.
type module struct {
	img        *objfile.Image
	s          *objfile.Space
	tab        *table
	addr       uint64 // link-time address of the table
	text       uint64 // link-time address: the origin of function offsets
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
	modWords   = 48 // the places below need as many
	modPointer = 8

	maxSearch   = 64 << 20 // bytes of data searched for pointers to the table
	maxPointers = 64       // such pointers
)

// modPlaces holds the word of textsectmap by release, and how many words before it gofunc is.
var modPlaces = map[bool][]struct{ textsectmap, back int }{
	false: {{39, 1}},                   // Go 1.18, 1.19
	true:  {{41, 1}, {42, 2}, {45, 2}}, // Go 1.20, 1.26 (epclntab), 1.27 (types and itabs)
}

// gofunc returns the link-time address of the symbol go:func.*.
func (m *module) gofunc() (uint64, error) {
	if sec := m.img.Section(".go.module"); sec != nil {
		return m.verify(sec.Addr)
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

// search returns the addresses of pointers to the table in the program's data.
func (m *module) search() ([]uint64, error) {
	var places []uint64
	left := objfile.Budget(maxSearch)
	for _, p := range m.img.Progs {
		if elf.ProgType(p.Type) != elf.PT_LOAD || elf.ProgFlag(p.Flags)&elf.PF_W == 0 {
			continue
		}
		first := (p.Vaddr + modPointer - 1) &^ (modPointer - 1)
		size := int64(p.Filesz) - int64(first-p.Vaddr)
		if size < 0 {
			continue
		}
		w := objfile.NewView(m.s.ReaderAt(first), size, &left)
		for off := int64(0); off+modPointer <= size; off += modPointer {
			b, err := w.Bytes(off, modPointer)
			if err != nil {
				return nil, err
			}
			if binary.LittleEndian.Uint64(b)-m.s.Bias != m.addr {
				continue
			}
			if len(places) == maxPointers {
				return nil, fmt.Errorf("more than %d pointers to pclntab: %w", maxPointers, objfile.ErrLimit)
			}
			places = append(places, first+uint64(off))
		}
	}
	return places, nil
}

// verify returns the gofunc of the moduledata at addr, or an error if addr has no moduledata.
func (m *module) verify(addr uint64) (uint64, error) {
	buf := make([]byte, modWords*8)
	if err := m.s.Read(buf, addr); err != nil {
		return 0, fmt.Errorf("read moduledata: %w", err)
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(buf[8*i:]) }
	pointer := func(i int) uint64 { return word(i) - m.s.Bias }

	ok := pointer(modTab) == m.addr && pointer(modMinPC) == m.start && pointer(modMaxPC) == m.end &&
		pointer(modText) == m.text && pointer(modEText) >= m.end
	for i, off := range []int64{m.tab.names, m.tab.units, m.tab.files, m.tab.pcs, m.tab.funcs, m.tab.functab} {
		at := modNames + 3*i
		ok = ok && pointer(at) == m.addr+uint64(off) && word(at+1) == word(at+2)
	}
	const functab = modNames + 3*5
	if !ok || word(functab+1) != uint64(m.tab.nfunc)+1 {
		return 0, errors.New("moduledata contradicts pclntab")
	}
	var found []uint64
	for _, place := range modPlaces[m.tab.layout.startLine] {
		at := place.textsectmap
		if word(at+1) == word(at+2) && m.isTextMap(pointer(at), word(at+1)) {
			found = append(found, pointer(at-place.back))
		}
	}
	if len(found) != 1 {
		return 0, errors.New("moduledata has an unknown layout")
	}
	return found[0], nil
}

// isTextMap reports whether the slice of n elements at addr is runtime.textsectmap with one text
// section, from 0 on, at m.text. No linker for amd64 or arm64 makes more on Linux; function offsets
// would then need a look-up in the map.
func (m *module) isTextMap(addr, n uint64) bool {
	if n != 1 {
		return false
	}
	var buf [24]byte // vaddr, end, baseaddr
	if m.s.Read(buf[:], addr) != nil {
		return false
	}
	return binary.LittleEndian.Uint64(buf[:]) == 0 && binary.LittleEndian.Uint64(buf[8:]) >= m.end-m.text &&
		binary.LittleEndian.Uint64(buf[16:])-m.s.Bias == m.text
}
