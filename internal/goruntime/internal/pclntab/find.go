package pclntab

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// mainFunc is in every program. A table without it is forged or of an unknown layout.
const mainFunc = "runtime.main"

// ErrUnknown means that a table is of an unknown release, or that an obfuscator has changed it.
var ErrUnknown = errors.New("its table of functions is of no known form")

// Entries holds link-time addresses of the functions of a program.
type Entries struct {
	Named      map[string]uint64 // the entry by name of those that the table has exactly once
	Start, End uint64            // the entry of the first function and the end of the last
}

// FindEntries scans the table of img for the named functions. s reads what relocations change.
func FindEntries(img *objfile.Image, s *objfile.Space, names ...string) (*Entries, error) {
	tab, _, base, err := openTable(img, s)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, mainFunc) {
		names = append(slices.Clone(names), mainFunc)
	}
	found, err := tab.find(names...)
	if err != nil {
		return nil, fmt.Errorf("read pclntab: %w", err)
	}
	if _, ok := found[mainFunc]; !ok {
		return nil, fmt.Errorf("%w: it has no %s", ErrUnknown, mainFunc)
	}
	for name, entry := range found {
		if tab.layout.field == 8 && entry == 0 {
			return nil, fmt.Errorf("address of %s: %w", name, objfile.ErrUnrelocated)
		}
		if !img.Executable(base + entry) {
			return nil, fmt.Errorf("%s at %#x is not in an executable segment", name, base+entry)
		}
		found[name] = base + entry
	}
	first, last, err := tab.bounds()
	if err != nil {
		return nil, fmt.Errorf("read pclntab: %w", err)
	}
	return &Entries{Named: found, Start: base + first, End: base + last}, nil
}

// openTable opens the table of img, which is at the link-time address addr. The addresses that the
// table stores are link-time addresses less base.
func openTable(img *objfile.Image, s *objfile.Space) (tab *table, addr, base uint64, err error) {
	sec, err := tableSection(img)
	if err != nil {
		return nil, 0, 0, err
	}
	if tab, err = readTable(img.Contents(sec), sec.Size, s.ReaderAt(sec.Addr)); err != nil {
		return nil, 0, 0, fmt.Errorf("read pclntab: %w", err)
	}
	if tab.layout.hidden && !hasMain(tab) {
		return nil, 0, 0, fmt.Errorf("%w: it has no %s", ErrUnknown, mainFunc)
	}
	base = -s.Bias
	if tab.layout.field == 4 {
		if base, err = textStart(img, s, tab, sec); err != nil {
			return nil, 0, 0, fmt.Errorf("find the text start: %w", err)
		}
	}
	return tab, sec.Addr, base, nil
}

// tableSection returns the place of the table. It is a section, which has another name in a PIE
// that Go linked before 1.26. GNU ld makes it a part of .data.rel.ro, where only the first bytes of
// its header mark its place. Without section headers all segments are searched for it.
func tableSection(img *objfile.Image) (*objfile.Section, error) {
	if sec := img.Section(".gopclntab", ".data.rel.ro.gopclntab"); sec != nil {
		return sec, nil
	}
	if len(img.Sections) == 0 {
		sec, err := searchSegments(img)
		if err == nil {
			img.Sections = append(img.Sections, *sec)
		}
		return sec, err
	}
	rel := img.Section(".data.rel.ro")
	if rel == nil || img.Type != elf.ET_DYN {
		return nil, errors.New("the file has no section .gopclntab")
	}
	off, err := searchTable(img.Contents(rel), rel.Size)
	if err != nil {
		return nil, fmt.Errorf("search %s for pclntab: %w", rel.Name, err)
	}
	return &objfile.Section{Name: rel.Name, Addr: rel.Addr + uint64(off), Off: rel.Off + off, Size: rel.Size - off}, nil
}

// textStart returns the link-time address of runtime.text, which function offsets count from. Where
// C code is linked in, it is not the start of the section .text. Go 1.18 to 1.25 store it in the
// header of the table. Since 1.26 the header has zero there; moduledata holds the address, at the
// start of the section .go.module.
func textStart(img *objfile.Image, s *objfile.Space, tab *table, sec *objfile.Section) (uint64, error) {
	stored, err := tab.textStart()
	if err != nil {
		return 0, err
	}
	if stored != 0 {
		return stored - s.Bias, nil
	}
	mod := img.Section(".go.module")
	if mod == nil {
		found, err := searchModule(img, s, tab, sec.Addr)
		switch {
		case err != nil && img.Type != elf.ET_EXEC:
			return 0, fmt.Errorf("pclntab's header: %w", objfile.ErrUnrelocated)
		case err != nil:
			return 0, fmt.Errorf("zero in pclntab's header, and there is no section .go.module: %w", err)
		}
		img.Sections = append(img.Sections, *found)
		mod = found
	}
	// runtime.moduledata: pcHeader, six slices, findfunctab, minpc, maxpc, text. The same since Go
	// 1.16.
	const textOffset = 8 + 6*24 + 3*8
	header, err := s.Pointer(mod.Addr)
	if err != nil {
		return 0, fmt.Errorf("read moduledata: %w", err)
	}
	if header != sec.Addr {
		return 0, fmt.Errorf("moduledata has pclntab at %#x, not at %#x", header, sec.Addr)
	}
	return s.Pointer(mod.Addr + textOffset)
}
