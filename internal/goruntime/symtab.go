package goruntime

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// symtab is the section with the symbols, or nil for a stripped program.
func (img *image) symtab() *section {
	s := img.section(".symtab")
	if s == nil || s.typ != elf.SHT_SYMTAB || s.size < elf.Sym64Size {
		return nil
	}
	return s
}

// symbols returns the link-time addresses of those of the names that .symtab defines exactly once.
// It streams the table: programs with a million symbols exist.
func (img *image) symbols(names ...string) (map[string]uint64, error) {
	tab := img.symtab()
	if tab == nil {
		return nil, nil
	}
	if int64(tab.link) >= int64(len(img.sections)) || img.sections[tab.link].hasNoFileBytes || img.sections[tab.link].compressed {
		return nil, fmt.Errorf("symbols have no names: section %d of %d should hold them", tab.link, len(img.sections))
	}
	str := &img.sections[tab.link]
	left := budget(readBudget)
	hits, err := newWindow(img.contents(str), str.size, &left).find(0, str.size, names)
	if err != nil {
		return nil, fmt.Errorf("read symbol names: %w", err)
	}
	found := make(map[string]uint64)
	twice := make(map[string]bool)
	w := newWindow(img.contents(tab), tab.size, &left)
	for off := int64(0); off+elf.Sym64Size <= tab.size; off += elf.Sym64Size {
		b, err := w.at(off, elf.Sym64Size)
		if err != nil {
			return nil, fmt.Errorf("read symbols: %w", err)
		}
		name, hit := hits[binary.LittleEndian.Uint32(b)]
		if !hit || elf.SectionIndex(binary.LittleEndian.Uint16(b[6:])) == elf.SHN_UNDEF {
			continue
		}
		value := binary.LittleEndian.Uint64(b[8:])
		if old, ok := found[name]; ok && old != value {
			twice[name] = true
		}
		found[name] = value
	}
	for name := range twice {
		delete(found, name)
	}
	return found, nil
}
