// Package objfile reads Go programs from their files, or from memory: ELF headers, symbols, debug
// sections and build info. Neither is trusted. Headers are bounded, tables are read through views
// with a budget, and every offset is checked.
package objfile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// Limits on headers. Real programs have some ten segments and fifty sections. debug/elf has no such
// limits: it copies the name of every section, so a small forged file makes it allocate without
// bound.
const (
	maxProgs    = 256
	maxSections = 4096
	maxSecName  = 64
	maxSecNames = 256 << 10
)

// A Section is one entry of the section header table.
type Section struct {
	Name           string
	Type           elf.SectionType
	Addr           uint64 // link-time address
	Off, Size      int64  // in the file, in bytes; inside it unless hasNoFileBytes
	Link           uint32
	hasNoFileBytes bool
	compressed     bool // SHF_COMPRESSED: the file holds a header and a compressed stream
}

// An Image is a 64-bit little-endian ELF program or shared object: headers in memory, contents read
// on demand.
type Image struct {
	r        io.ReaderAt
	size     int64
	Type     elf.Type
	Machine  elf.Machine
	Entry    uint64
	Progs    []elf.Prog64
	Sections []Section // empty when the file has no section header table
}

// ReadFile reads the headers of a regular file.
func ReadFile(f *os.File) (*Image, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, NotGo("%s is not a regular file", f.Name())
	}
	return ReadImage(f, st.Size())
}

// ReadImage reads the headers of the ELF file in r, which has size bytes.
func ReadImage(r io.ReaderAt, size int64) (*Image, error) {
	var ident [elf.EI_NIDENT]byte
	if _, err := r.ReadAt(ident[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read ELF identification: %w", err)
	}
	if !bytes.HasPrefix(ident[:], []byte(elf.ELFMAG)) {
		return nil, NotGo("the executable is not an ELF file")
	}
	if elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS32 {
		return nil, Err32Bit
	}
	if elf.Class(ident[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, NotGo("only 64-bit little-endian programs are supported")
	}
	var h elf.Header64
	if err := readStruct(r, size, 0, &h); err != nil {
		return nil, fmt.Errorf("read ELF header: %w", err)
	}
	img := &Image{r: r, size: size, Type: elf.Type(h.Type), Machine: elf.Machine(h.Machine), Entry: h.Entry}
	if h.Phnum > maxProgs || h.Shnum > maxSections {
		return nil, fmt.Errorf("%d segments, %d sections: %w", h.Phnum, h.Shnum, ErrLimit)
	}
	if h.Phnum > 0 && int(h.Phentsize) != binary.Size(elf.Prog64{}) ||
		h.Shnum > 0 && int(h.Shentsize) != binary.Size(elf.Section64{}) {
		return nil, errors.New("the ELF header has unusual entry sizes")
	}
	img.Progs = make([]elf.Prog64, h.Phnum)
	if err := readStruct(r, size, h.Phoff, img.Progs); err != nil {
		return nil, fmt.Errorf("read program headers: %w", err)
	}
	headers := make([]elf.Section64, h.Shnum)
	if err := readStruct(r, size, h.Shoff, headers); err != nil {
		return nil, fmt.Errorf("read section headers: %w", err)
	}
	if err := img.nameSections(headers, int(h.Shstrndx)); err != nil {
		return nil, fmt.Errorf("read section names: %w", err)
	}
	return img, nil
}

// MemoryImage returns the image of a program that lies in the memory of a process. The segments are
// where they are mapped: link-time addresses are run-time addresses. It has no section headers.
func MemoryImage(mem io.ReaderAt, machine elf.Machine, progs []elf.Prog64) *Image {
	return &Image{r: mem, size: math.MaxInt64, Type: elf.ET_EXEC, Machine: machine, Progs: progs}
}

func (img *Image) nameSections(headers []elf.Section64, strndx int) error {
	if len(headers) == 0 {
		return nil
	}
	if strndx >= len(headers) {
		return fmt.Errorf("no section %d of %d", strndx, len(headers))
	}
	names, err := img.bytes(headers[strndx].Off, headers[strndx].Size, maxSecNames)
	if err != nil {
		return err
	}
	img.Sections = make([]Section, 0, len(headers))
	for _, h := range headers {
		s := Section{Type: elf.SectionType(h.Type), Addr: h.Addr, Off: int64(h.Off), Size: int64(h.Size), Link: h.Link}
		if int64(h.Name) < int64(len(names)) {
			name := names[h.Name:min(int64(h.Name)+maxSecName, int64(len(names)))]
			if end := bytes.IndexByte(name, 0); end >= 0 {
				s.Name = string(name[:end])
			}
		}
		s.hasNoFileBytes = s.Type == elf.SHT_NOBITS || h.Off > uint64(img.size) || h.Size > uint64(img.size)-h.Off
		s.compressed = elf.SectionFlag(h.Flags)&elf.SHF_COMPRESSED != 0
		img.Sections = append(img.Sections, s)
	}
	return nil
}

// Section returns the first section with one of the names, or nil. Its contents are in the file,
// uncompressed.
func (img *Image) Section(names ...string) *Section {
	if s := img.fileSection(names...); s != nil && !s.compressed {
		return s
	}
	return nil
}

// fileSection is like Section but also returns compressed sections.
func (img *Image) fileSection(names ...string) *Section {
	for i := range img.Sections {
		s := &img.Sections[i]
		if !s.hasNoFileBytes && slices.Contains(names, s.Name) {
			return s
		}
	}
	return nil
}

// Contents returns a reader of the bytes of a section.
func (img *Image) Contents(s *Section) io.ReaderAt { return io.NewSectionReader(img.r, s.Off, s.Size) }

// HasSegment reports whether there is a segment of type t.
func (img *Image) HasSegment(t elf.ProgType) bool {
	for _, p := range img.Progs {
		if elf.ProgType(p.Type) == t {
			return true
		}
	}
	return false
}

// Executable reports whether the link-time address addr lies in a segment that is mapped
// executable.
func (img *Image) Executable(addr uint64) bool {
	for _, p := range img.Progs {
		if elf.ProgType(p.Type) == elf.PT_LOAD && elf.ProgFlag(p.Flags)&elf.PF_X != 0 &&
			addr >= p.Vaddr && addr-p.Vaddr < p.Memsz {
			return true
		}
	}
	return false
}

// bytes returns the size bytes at off. It is an error if size is above limit.
func (img *Image) bytes(off, size uint64, limit int) ([]byte, error) {
	if size > uint64(limit) {
		return nil, fmt.Errorf("%d bytes: %w", size, ErrLimit)
	}
	if off > uint64(img.size) || size > uint64(img.size)-off {
		return nil, fmt.Errorf("%d bytes at offset %#x lie outside the file", size, off)
	}
	buf := make([]byte, size)
	if n, err := img.r.ReadAt(buf, int64(off)); n < len(buf) {
		return nil, err
	}
	return buf, nil
}

// readStruct reads the little-endian value v at off. v has a fixed size.
func readStruct(r io.ReaderAt, fileSize int64, off uint64, v any) error {
	n := binary.Size(v)
	if off > uint64(fileSize) || uint64(n) > uint64(fileSize)-off {
		return fmt.Errorf("%d bytes at offset %#x lie outside the file", n, off)
	}
	buf := make([]byte, n)
	if got, err := r.ReadAt(buf, int64(off)); got < n {
		return err
	}
	_, err := binary.Decode(buf, binary.LittleEndian, v)
	return err
}
