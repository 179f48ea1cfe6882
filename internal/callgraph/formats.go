package callgraph

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

var errMachine = errors.New("it is not for amd64")

func (p *Program) addSection(at uint64, data func() ([]byte, error)) error {
	b, err := data()
	p.sections = append(p.sections, section{at, b})
	return err
}

// elf does not read imports: the systems that have it are asked about the runtime's own functions.
func (p *Program) elf(r io.ReaderAt) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return err
	}
	if f.Machine != elf.EM_X86_64 {
		return errMachine
	}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type == elf.SHT_PROGBITS {
			if err := p.addSection(s.Addr, s.Data); err != nil {
				return err
			}
		}
	}
	symbols, err := f.Symbols()
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			p.add(s.Value, s.Name)
		}
	}
	return err
}

func (p *Program) pe(r io.ReaderAt) error {
	f, err := pe.NewFile(r)
	if err != nil {
		return err
	}
	header, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		return errMachine
	}
	for _, s := range f.Sections {
		if err := p.addSection(header.ImageBase+uint64(s.VirtualAddress), s.Data); err != nil {
			return err
		}
	}
	for _, s := range f.Symbols {
		if n := int(s.SectionNumber); n > 0 && n <= len(f.Sections) && f.Sections[n-1].Name == ".text" {
			p.add(p.sections[n-1].at+uint64(s.Value), s.Name)
		}
	}
	return p.peImports(header)
}

// peImports reads the import directory: for each library, a table of names and one of the pointers
// that the system fills in. See the section ".idata" of Microsoft's PE format.
func (p *Program) peImports(header *pe.OptionalHeader64) error {
	const descriptor, library, pointers, pointer = 20, 12, 16, 8
	number := func(at uint64) uint64 {
		if b := p.read(at, pointer); b != nil {
			return binary.LittleEndian.Uint64(b)
		}
		return 0
	}
	at := header.ImageBase + uint64(header.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress)
	for ; uint32(number(at+library)) != 0; at += descriptor {
		names := header.ImageBase + uint64(uint32(number(at)))
		slots := header.ImageBase + uint64(uint32(number(at+pointers)))
		for i := uint64(0); ; i += pointer {
			name := number(names + i)
			if name == 0 {
				break
			}
			if text := p.text(header.ImageBase + name + 2); text != "" { // after a hint of two bytes
				p.imports[slots+i] = text
			}
		}
	}
	if len(p.imports) == 0 {
		return errors.New("it imports nothing")
	}
	return nil
}

// text is the text at an address, which ends with a zero.
func (p *Program) text(at uint64) string {
	var b []byte
	for c := p.read(at, 1); c != nil && c[0] != 0; c = p.read(at+uint64(len(b)), 1) {
		b = append(b, c[0])
	}
	return string(b)
}

func (p *Program) macho(r io.ReaderAt) error {
	f, err := macho.NewFile(r)
	if err != nil {
		return err
	}
	if f.Cpu != macho.CpuAmd64 || f.Symtab == nil || f.Dysymtab == nil {
		return errMachine
	}
	for _, s := range f.Sections {
		if zero := s.Flags&0xff == 1; !zero { // S_ZEROFILL
			if err := p.addSection(s.Addr, s.Data); err != nil {
				return err
			}
		}
	}
	for _, s := range f.Symtab.Syms {
		if n := int(s.Sect); n > 0 && n <= len(f.Sections) && f.Sections[n-1].Name == "__text" {
			p.add(s.Value, strings.TrimPrefix(s.Name, "_"))
		}
	}
	return p.machoImports(f)
}

// machoImports reads the sections of pointers and stubs. Each of their entries has a number in the
// indirect symbol table, from where the section's reserved1 says. See <mach-o/loader.h>.
func (p *Program) machoImports(f *macho.File) error {
	const lazyPointers, pointers, stubs = 7, 6, 8 // S_LAZY_SYMBOL_POINTERS and so on
	const segmentSize = 72                        // of struct segment_command_64, which the sections follow
	for _, l := range f.Loads {
		segment, ok := l.(*macho.Segment)
		if !ok || segment.Cmd != macho.LoadCmdSegment64 {
			continue
		}
		sections := make([]macho.Section64, segment.Nsect)
		if err := binary.Read(bytes.NewReader(segment.Raw()[segmentSize:]), f.ByteOrder, sections); err != nil {
			return err
		}
		for _, s := range sections {
			size := uint64(s.Reserve2) // of a stub
			switch s.Flags & 0xff {
			case lazyPointers, pointers:
				size = 8
			case stubs:
			default:
				continue
			}
			for i := uint64(0); size > 0 && i < s.Size/size && uint64(s.Reserve1)+i < uint64(len(f.Dysymtab.IndirectSyms)); i++ {
				symbol := f.Dysymtab.IndirectSyms[uint64(s.Reserve1)+i]
				if int64(symbol) < int64(len(f.Symtab.Syms)) { // else it is a local one
					p.imports[s.Addr+i*size] = strings.TrimPrefix(f.Symtab.Syms[symbol].Name, "_")
				}
			}
		}
	}
	if len(p.imports) == 0 {
		return errors.New("it imports nothing")
	}
	return nil
}
