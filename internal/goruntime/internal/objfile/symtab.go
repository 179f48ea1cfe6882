package objfile

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Symtab returns the section .symtab, or nil for a stripped program.
func (img *Image) Symtab() *Section {
	s := img.Section(".symtab")
	if s == nil || s.Type != elf.SHT_SYMTAB || s.Size < elf.Sym64Size {
		return nil
	}
	return s
}

// Symbols returns the link-time addresses of the names that .symtab defines with one value.
// It streams the table: there are programs with a million symbols.
func (img *Image) Symbols(names ...string) (map[string]uint64, error) {
	tab := img.Symtab()
	if tab == nil {
		return nil, nil
	}
	if int64(tab.Link) >= int64(len(img.Sections)) || img.Sections[tab.Link].hasNoFileBytes ||
		img.Sections[tab.Link].compressed {
		return nil, fmt.Errorf("no names of symbols in section %d of %d", tab.Link, len(img.Sections))
	}
	str := &img.Sections[tab.Link]
	left := Budget(ReadBudget)
	hits, err := NewView(img.Contents(str), str.Size, &left).FindStrings(0, str.Size, names)
	if err != nil {
		return nil, fmt.Errorf("read symbol names: %w", err)
	}
	found := make(map[string]uint64)
	twice := make(map[string]bool)
	w := NewView(img.Contents(tab), tab.Size, &left)
	for off := int64(0); off+elf.Sym64Size <= tab.Size; off += elf.Sym64Size {
		b, err := w.Bytes(off, elf.Sym64Size)
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
