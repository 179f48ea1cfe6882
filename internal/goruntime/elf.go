package goruntime

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Limits on headers. Real programs have some ten segments and fifty sections. debug/elf knows no such limits: it copies
// every section's name, so that a small forged file makes it allocate without bound.
const (
	maxProgs    = 256
	maxSections = 4096
	maxSecName  = 64
	maxSecNames = 256 << 10
)

// A section is one entry of the section header table.
type section struct {
	name           string
	typ            elf.SectionType
	addr           uint64 // as linked; run-time addresses are this plus the load bias
	off, size      int64  // in the file, inside it unless typ is SHT_NOBITS
	link           uint32
	hasNoFileBytes bool
	compressed     bool // SHF_COMPRESSED: the file has a header and a compressed stream in its place
}

// An image is a 64-bit little-endian ELF program or shared object: headers in memory, contents read when asked for.
type image struct {
	r        io.ReaderAt
	size     int64
	typ      elf.Type
	machine  elf.Machine
	entry    uint64
	progs    []elf.Prog64
	sections []section // empty when the file has no section header table
}

// readImage reads the headers of the ELF file of the given size.
func readImage(r io.ReaderAt, size int64) (*image, error) {
	var ident [elf.EI_NIDENT]byte
	if _, err := r.ReadAt(ident[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read ELF identification: %w", err)
	}
	if !bytes.HasPrefix(ident[:], []byte(elf.ELFMAG)) {
		return nil, notGo("the executable is not an ELF file")
	}
	if elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS32 {
		return nil, Err32Bit
	}
	if elf.Class(ident[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, notGo("only 64-bit little-endian programs are supported")
	}
	var h elf.Header64
	if err := readStruct(r, size, 0, &h); err != nil {
		return nil, fmt.Errorf("read ELF header: %w", err)
	}
	img := &image{r: r, size: size, typ: elf.Type(h.Type), machine: elf.Machine(h.Machine), entry: h.Entry}
	if h.Phnum > maxProgs || h.Shnum > maxSections {
		return nil, fmt.Errorf("%d segments, %d sections: %w", h.Phnum, h.Shnum, errLimit)
	}
	if h.Phnum > 0 && int(h.Phentsize) != binary.Size(elf.Prog64{}) || h.Shnum > 0 && int(h.Shentsize) != binary.Size(elf.Section64{}) {
		return nil, errors.New("ELF header gives unusual sizes of its tables' entries")
	}
	img.progs = make([]elf.Prog64, h.Phnum)
	if err := readStruct(r, size, h.Phoff, img.progs); err != nil {
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

func (img *image) nameSections(headers []elf.Section64, strndx int) error {
	if len(headers) == 0 {
		return nil
	}
	if strndx >= len(headers) {
		return fmt.Errorf("section %d of %d should hold them", strndx, len(headers))
	}
	names, err := img.bytes(headers[strndx].Off, headers[strndx].Size, maxSecNames)
	if err != nil {
		return err
	}
	img.sections = make([]section, 0, len(headers))
	for _, h := range headers {
		s := section{typ: elf.SectionType(h.Type), addr: h.Addr, off: int64(h.Off), size: int64(h.Size), link: h.Link}
		if int64(h.Name) < int64(len(names)) {
			name := names[h.Name:min(int64(h.Name)+maxSecName, int64(len(names)))]
			if end := bytes.IndexByte(name, 0); end >= 0 {
				s.name = string(name[:end])
			}
		}
		s.hasNoFileBytes = s.typ == elf.SHT_NOBITS || h.Off > uint64(img.size) || h.Size > uint64(img.size)-h.Off
		s.compressed = elf.SectionFlag(h.Flags)&elf.SHF_COMPRESSED != 0
		img.sections = append(img.sections, s)
	}
	return nil
}

// section returns the first section with one of the names whose contents stand in the file as they are, or nil.
func (img *image) section(names ...string) *section {
	if s := img.fileSection(names...); s != nil && !s.compressed {
		return s
	}
	return nil
}

// fileSection is section, and returns compressed sections too.
func (img *image) fileSection(names ...string) *section {
	for i := range img.sections {
		s := &img.sections[i]
		if !s.hasNoFileBytes && slices.Contains(names, s.name) {
			return s
		}
	}
	return nil
}

// contents is a section's bytes.
func (img *image) contents(s *section) io.ReaderAt { return io.NewSectionReader(img.r, s.off, s.size) }

// has reports whether there is a segment of type t.
func (img *image) has(t elf.ProgType) bool {
	for _, p := range img.progs {
		if elf.ProgType(p.Type) == t {
			return true
		}
	}
	return false
}

// executable reports whether addr, as linked, lies in a segment that is mapped executable.
func (img *image) executable(addr uint64) bool {
	for _, p := range img.progs {
		if elf.ProgType(p.Type) == elf.PT_LOAD && elf.ProgFlag(p.Flags)&elf.PF_X != 0 && addr >= p.Vaddr && addr-p.Vaddr < p.Memsz {
			return true
		}
	}
	return false
}

// bytes reads size bytes at off, at most limit.
func (img *image) bytes(off, size uint64, limit int) ([]byte, error) {
	if size > uint64(limit) {
		return nil, fmt.Errorf("%d bytes: %w", size, errLimit)
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

// readStruct reads the little-endian value v, which must have a fixed size, at off.
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
