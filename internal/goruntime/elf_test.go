package goruntime

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// makeELF writes a program with the given sections behind one another, all in one writable and executable segment at 0x400000.
func makeELF(sections map[string][]byte) []byte {
	const header, addr = 64, 0x400000
	names := []byte{0}
	body := []byte{}
	headers := []elf.Section64{{}}
	add := func(name string, typ elf.SectionType, content []byte) {
		headers = append(headers, elf.Section64{Name: uint32(len(names)), Type: uint32(typ), Addr: addr + header + 56 + uint64(len(body)),
			Off: header + 56 + uint64(len(body)), Size: uint64(len(content)), Link: 2})
		names = append(append(names, name...), 0)
		body = append(body, content...)
	}
	add(".symtab", elf.SHT_SYMTAB, sections[".symtab"])
	add(".strtab", elf.SHT_STRTAB, sections[".strtab"])
	for _, name := range []string{".go.buildinfo", ".gopclntab"} {
		add(name, elf.SHT_PROGBITS, sections[name])
	}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if strings.Contains(name, "debug_") {
			add(name, elf.SHT_PROGBITS, sections[name])
		}
	}
	names = append(names, ".shstrtab\x00"...)
	headers = append(headers, elf.Section64{Name: uint32(len(names) - 10), Type: uint32(elf.SHT_STRTAB),
		Off: uint64(header + 56 + len(body)), Size: uint64(len(names))})
	body = append(body, names...)

	size := uint64(header + 56 + len(body))
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: header, Shoff: size, Ehsize: header,
		Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: uint16(len(headers)), Shstrndx: uint16(len(headers) - 1)}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	p := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 7, Vaddr: addr, Filesz: size, Memsz: size + 1<<20}
	var buf bytes.Buffer
	for _, v := range []any{h, p, body, headers} {
		_ = binary.Write(&buf, binary.LittleEndian, v)
	}
	return buf.Bytes()
}

// sampleELF has two symbols of one name and values apart, and build info with its strings inline.
func sampleELF() []byte {
	strtab := []byte("\x00" + fnMain + "\x00" + varGomaxprocs + "\x00")
	var symtab bytes.Buffer
	for _, s := range []elf.Sym64{
		{}, {Name: 1, Shndx: 1, Value: 0x400100}, {Name: uint32(2 + len(fnMain)), Shndx: 1, Value: 0x400200},
		{Name: uint32(2 + len(fnMain)), Shndx: 1, Value: 0x400300}, {Name: 1, Shndx: 0, Value: 0x400400},
	} {
		_ = binary.Write(&symtab, binary.LittleEndian, s)
	}
	info := append([]byte(buildInfoMagic), 8, 2)
	info = append(info, make([]byte, 16)...)
	info = append(info, "\x04go1x\x00"...)
	return makeELF(map[string][]byte{".symtab": symtab.Bytes(), ".strtab": strtab, ".go.buildinfo": info, ".gopclntab": makePclntab(0xfffffff1, sample)})
}

func TestSampleELF(t *testing.T) {
	data := sampleELF()
	img, err := readImage(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	version, _, err := readBuildInfo(img, fileSpace(img))
	if err != nil || version != "go1x" {
		t.Errorf("version %q, %v", version, err)
	}
	syms, err := img.symbols(fnMain, varGomaxprocs)
	if err != nil || len(syms) != 1 || syms[fnMain] != 0x400100 {
		t.Errorf("symbols = %#x, %v; want %s alone: undefined ones do not count, contradictory ones are not known", syms, err, fnMain)
	}
}

// Fields of the headers that a forger would change.
func TestHostileELF(t *testing.T) {
	for name, edit := range map[string]func(b []byte){
		"segments beyond the file": func(b []byte) { binary.LittleEndian.PutUint64(b[0x20:], 1<<63) },
		"65535 segments":           func(b []byte) { binary.LittleEndian.PutUint16(b[0x38:], 0xffff) },
		"sections beyond the file": func(b []byte) { binary.LittleEndian.PutUint64(b[0x28:], ^uint64(0)-10) },
		"65535 sections":           func(b []byte) { binary.LittleEndian.PutUint16(b[0x3c:], 0xffff) },
		"sections of another size": func(b []byte) { binary.LittleEndian.PutUint16(b[0x3a:], 1) },
		"names in no section":      func(b []byte) { binary.LittleEndian.PutUint16(b[0x3e:], 999) },
		"32 bits":                  func(b []byte) { b[elf.EI_CLASS] = byte(elf.ELFCLASS32) },
		"big-endian":               func(b []byte) { b[elf.EI_DATA] = byte(elf.ELFDATA2MSB) },
		"not ELF":                  func(b []byte) { b[0] = 0 },
	} {
		data := sampleELF()
		edit(data)
		if img, err := readImage(bytes.NewReader(data), int64(len(data))); err == nil {
			t.Errorf("%s: read as %+v", name, img)
		}
	}
	for _, n := range []int{0, 1, 16, 63, 64, 100} {
		if _, err := readImage(bytes.NewReader(sampleELF()[:n]), int64(n)); err == nil {
			t.Errorf("read the first %d bytes", n)
		}
	}
}

func TestSearchBuildInfo(t *testing.T) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := fileImage(f)
	if err != nil {
		t.Fatal(err)
	}
	want, err := findBuildInfo(img)
	if err != nil {
		t.Fatal(err)
	}
	// Without its section, the magic is found by search, at the same place.
	img.sections = nil
	if got, err := findBuildInfo(img); err != nil || got != want {
		t.Errorf("searched build info is at %#x, %v, want %#x", got, err, want)
	}
	img.progs = nil
	if _, err := findBuildInfo(img); !errors.Is(err, ErrNotGo) {
		t.Errorf("without segments: %v", err)
	}
}

// FuzzImage reads a whole forged file as Read does, but for the process.
func FuzzImage(f *testing.F) {
	f.Add(sampleELF())
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := readImage(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		s := fileSpace(img)
		if version, _, err := readBuildInfo(img, s); err == nil && !printable(version) {
			t.Errorf("version %q", version)
		}
		_, _ = lookUp(img, s)
		_, _ = lookUpFuncs(img, s)
		biasOf(img, procfs.Mapping{})
	})
}
