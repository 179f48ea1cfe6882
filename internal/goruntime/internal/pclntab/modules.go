package pclntab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// A Module is a part of a program's code with a table of its own: the program, or a plugin. It is a
// runtime.moduledata in memory (runtime/symtab.go); all addresses are run-time addresses.
type Module struct {
	Addr       uint64
	Start, End uint64 // of its functions: minpc and maxpc

	data []byte // moduledata as last read, and what follows it
}

// Modules is the list from runtime.firstmoduledata on, as far as it has been read. A program adds the
// plugins that it loads to the end.
type Modules struct {
	List []Module // the program first, then plugins as they were loaded

	mem *objfile.Space
}

const (
	maxModules  = 256
	modAfter    = 24 // words of moduledata before the first that may be its link to the next one
	modMost     = 96 // words that hold moduledata of every release; Go 1.27 has the most, 74
	lowestPage  = 1 << 16
	highestUser = 1 << 56
	pageSize    = 4096
)

// OpenModules finds the first module, which is that of img. s is the memory of the process by
// link-time address, and mem the same by run-time address.
func OpenModules(img *objfile.Image, s, mem *objfile.Space) (*Modules, error) {
	_, addr, _, err := openTable(img, s)
	if err != nil {
		return nil, err
	}
	places := []uint64{}
	if sec := img.Section(".go.module"); sec != nil {
		places = append(places, sec.Addr)
	} else {
		m := module{img: img, s: s, addr: addr}
		if places, err = m.search(); err != nil {
			return nil, fmt.Errorf("search moduledata: %w", err)
		}
	}
	l := &Modules{mem: mem}
	for _, place := range places {
		if m, err := l.read(place + s.Bias); err == nil {
			l.List = append(l.List, m)
		}
	}
	if len(l.List) != 1 {
		return nil, fmt.Errorf("found moduledata %d times", len(l.List))
	}
	return l, nil
}

// Grow adds the modules that have been loaded since. Where there are none, it takes a read of some
// hundred bytes for each module. The offset of the link is different in every release, so any word
// that points to moduledata is taken for the link.
func (l *Modules) Grow() error {
	for i := 0; i < len(l.List); i++ {
		m := &l.List[i]
		data, err := l.data(m.Addr)
		if err != nil {
			return fmt.Errorf("read moduledata at %#x: %w", m.Addr, err)
		}
		if !bytes.Equal(data, m.data) {
			m.data = data
			l.follow(data)
		}
	}
	return nil
}

// follow adds the modules that the words of data point to.
func (l *Modules) follow(data []byte) {
	for at := modAfter * modPointer; at+modPointer <= len(data); at += modPointer {
		addr := binary.LittleEndian.Uint64(data[at:])
		known := slices.ContainsFunc(l.List, func(m Module) bool { return m.Addr == addr })
		if known || len(l.List) == maxModules || addr < lowestPage || addr >= highestUser || addr%modPointer != 0 {
			continue
		}
		if m, err := l.read(addr); err == nil {
			l.List = append(l.List, m)
		}
	}
}

// read returns the module at addr, or an error if there is no moduledata: it must name a table and
// agree with it.
func (l *Modules) read(addr uint64) (Module, error) {
	data, err := l.data(addr)
	if err != nil {
		return Module{}, err
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(data[modPointer*i:]) }
	var header [2 * modPointer]byte // magic and sizes, then the number of functions
	if err := l.mem.Read(header[:], word(modTab)); err != nil {
		return Module{}, err
	}
	// Before Go 1.16 moduledata begins with the slices pclntable, ftab and filetab.
	minPC, functab := modMinPC, modNames+3*5
	if layouts[binary.LittleEndian.Uint32(header[:])].headerWords == 1 {
		minPC, functab = 10, 3
	}
	m := Module{Addr: addr, Start: word(minPC), End: word(minPC + 1)}
	text, etext := word(minPC+2), word(minPC+3)
	if header[4] != 0 || header[5] != 0 || header[7] != modPointer ||
		word(functab+1) != binary.LittleEndian.Uint64(header[modPointer:])+1 ||
		m.Start >= m.End || text > m.Start || etext < m.End {
		return Module{}, errors.New("no moduledata")
	}
	return m, nil
}

// data reads moduledata at addr, and as much of what follows it as is mapped.
func (l *Modules) data(addr uint64) ([]byte, error) {
	data := make([]byte, modMost*modPointer)
	if err := l.mem.Read(data, addr); err == nil {
		return data, nil
	}
	left := pageSize - int(addr%pageSize)
	if left < modAfter*modPointer {
		return nil, fmt.Errorf("%d bytes before the end of a page", left)
	}
	data = data[:min(left, len(data))]
	err := l.mem.Read(data, addr)
	return data, err
}
