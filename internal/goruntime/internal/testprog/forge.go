package testprog

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// ELF forges a program with the given sections, one after the other, all in one writable and
// executable segment at 0x400000. Besides .symtab, .strtab, .go.buildinfo and .gopclntab, which it
// always has, it takes .text and debug sections.
func ELF(sections map[string][]byte) []byte {
	const header, addr = 64, 0x400000
	names := []byte{0}
	body := []byte{}
	headers := []elf.Section64{{}}
	add := func(name string, typ elf.SectionType, content []byte) {
		headers = append(headers, elf.Section64{
			Name: uint32(len(names)), Type: uint32(typ), Addr: addr + header + 56 + uint64(len(body)),
			Off: header + 56 + uint64(len(body)), Size: uint64(len(content)), Link: 2,
		})
		names = append(append(names, name...), 0)
		body = append(body, content...)
	}
	add(".symtab", elf.SHT_SYMTAB, sections[".symtab"])
	add(".strtab", elf.SHT_STRTAB, sections[".strtab"])
	for _, name := range []string{".go.buildinfo", ".gopclntab"} {
		add(name, elf.SHT_PROGBITS, sections[name])
	}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if name == ".text" || strings.Contains(name, "debug_") {
			add(name, elf.SHT_PROGBITS, sections[name])
		}
	}
	names = append(names, ".shstrtab\x00"...)
	headers = append(headers, elf.Section64{
		Name: uint32(len(names) - 10), Type: uint32(elf.SHT_STRTAB),
		Off: uint64(header + 56 + len(body)), Size: uint64(len(names)),
	})
	body = append(body, names...)

	size := uint64(header + 56 + len(body))
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: header, Shoff: size, Ehsize: header,
		Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: uint16(len(headers)), Shstrndx: uint16(len(headers) - 1),
	}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	p := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 7, Vaddr: addr, Filesz: size, Memsz: size + 1<<20}
	var buf bytes.Buffer
	for _, v := range []any{h, p, body, headers} {
		_ = binary.Write(&buf, binary.LittleEndian, v)
	}
	return buf.Bytes()
}

// Program forges a program of "go1x" with two functions. .symtab has the variable
// runtime.gomaxprocs with two values, and runtime.main both defined, at 0x400100, and undefined.
func Program() []byte {
	const first, second, variable = "runtime.main", "runtime.asyncPreempt", "runtime.gomaxprocs"
	strtab := []byte("\x00" + first + "\x00" + variable + "\x00")
	var symtab bytes.Buffer
	for _, s := range []elf.Sym64{
		{}, {Name: 1, Shndx: 1, Value: 0x400100}, {Name: uint32(2 + len(first)), Shndx: 1, Value: 0x400200},
		{Name: uint32(2 + len(first)), Shndx: 1, Value: 0x400300}, {Name: 1, Shndx: 0, Value: 0x400400},
	} {
		_ = binary.Write(&symtab, binary.LittleEndian, s)
	}
	info := append([]byte("\xff Go buildinf:"), 8, 2) // pointer size; strings follow the header
	info = append(info, make([]byte, 16)...)
	info = append(info, "\x04go1x\x00"...)
	return ELF(map[string][]byte{
		".symtab": symtab.Bytes(), ".strtab": strtab, ".go.buildinfo": info, ".gopclntab": pclntab(first, second),
	})
}

// pclntab forges a table of Go 1.20 with functions of 64 bytes from 0x400100 on, as far as names
// and entries go.
func pclntab(names ...string) []byte {
	const headerSize, text = 8 + 8*8, 0x400000
	le := binary.LittleEndian
	list := []byte(strings.Join(names, "\x00") + "\x00")
	functab := headerSize + len(list)
	b := append(le.AppendUint32(nil, 0xfffffff1), 0, 0, 1, 8)
	for _, v := range []int{len(names), 0, text, headerSize, functab, functab, functab, functab} {
		b = le.AppendUint64(b, uint64(v))
	}
	b = append(b, list...)
	var funcs []byte
	rows, nameOff := 8*len(names)+4, 0
	for i, name := range names {
		entry := uint32(0x100 + 64*i)
		b = le.AppendUint32(le.AppendUint32(b, entry), uint32(rows+len(funcs)))
		funcs = le.AppendUint32(le.AppendUint32(funcs, entry), uint32(nameOff))
		nameOff += len(name) + 1
	}
	b = le.AppendUint32(b, uint32(0x100+64*len(names)))
	return append(b, funcs...)
}
