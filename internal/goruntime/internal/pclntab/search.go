package pclntab

import (
	"debug/elf"
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// maxTables is the number of places that may look like a table in one search. Each takes a look-up.
const maxTables = 4

// searchSegments returns the place of the table of a program without section headers: a file whose
// headers were removed, or a program in memory. Only a table with runtime.main counts.
func searchSegments(img *objfile.Image) (*objfile.Section, error) {
	left := objfile.Budget(objfile.ReadBudget)
	tables := 0
	for _, p := range img.Progs {
		if elf.ProgType(p.Type) != elf.PT_LOAD {
			continue
		}
		segment := objfile.Section{Name: ".gopclntab", Addr: p.Vaddr, Off: int64(p.Off), Size: int64(p.Filesz)}
		w := objfile.NewView(img.Contents(&segment), segment.Size, &left)
		for pos := int64(0); pos < segment.Size; pos += objfile.ViewSize {
			// Chunks overlap by a header less one byte, so that each header is whole in one of them.
			chunk, err := w.Bytes(pos, int(min(objfile.ViewSize+maxHeader-1, segment.Size-pos)))
			if errors.Is(err, objfile.ErrLimit) {
				return nil, fmt.Errorf("search pclntab: %w", err)
			}
			if err != nil {
				continue // a piece that cannot be read
			}
			for i := int64(0); i < objfile.ViewSize && i+maxHeader <= int64(len(chunk)); i += 8 {
				if !isHeader(chunk[i:], segment.Size) {
					continue
				}
				at := pos + i
				sec := objfile.Section{
					Name: segment.Name, Addr: segment.Addr + uint64(at), Off: segment.Off + at, Size: segment.Size - at,
				}
				tab, err := readTable(img.Contents(&sec), sec.Size, img.Contents(&sec))
				if err != nil {
					continue
				}
				if tables++; tables > maxTables {
					return nil, fmt.Errorf("more than %d places look like pclntab: %w", maxTables, objfile.ErrLimit)
				}
				if hasMain(tab) {
					return &sec, nil
				}
			}
		}
	}
	return nil, errors.New("the program has no table of functions (pclntab)")
}

// hasMain reports whether a table has runtime.main.
func hasMain(tab *table) bool {
	found, err := tab.find(mainFunc)
	return err == nil && len(found) > 0
}

// Present reports whether img has a table with runtime.main.
func Present(img *objfile.Image) bool {
	sec, err := tableSection(img)
	if err != nil {
		return false
	}
	tab, err := readTable(img.Contents(sec), sec.Size, img.Contents(sec))
	return err == nil && hasMain(tab)
}

// Releases returns the first and the last minor release of Go 1 that write a table like that of
// img.
func Releases(img *objfile.Image, s *objfile.Space) (first, last int, err error) {
	tab, _, _, err := openTable(img, s)
	if err != nil {
		return 0, 0, err
	}
	return tab.layout.first, tab.layout.last, nil
}

// searchModule returns the place of runtime.firstmoduledata in a program without a section for it:
// where a pointer to the table precedes one to the table's names.
func searchModule(img *objfile.Image, s *objfile.Space, tab *table, addr uint64) (*objfile.Section, error) {
	m := module{img: img, s: s, tab: tab, addr: addr}
	places, err := m.search()
	if err != nil {
		return nil, fmt.Errorf("search moduledata: %w", err)
	}
	var found []uint64
	for _, place := range places {
		if names, err := s.Pointer(place + 8*modNames); err == nil && names == addr+uint64(tab.names) {
			found = append(found, place)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("found moduledata %d times", len(found))
	}
	return &objfile.Section{Name: ".go.module", Addr: found[0]}, nil
}
