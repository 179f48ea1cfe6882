package objfile

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
)

// mostRelocations bounds what is read of a file that is not trusted. The largest Go programs have some
// hundred thousand.
const mostRelocations = 4 << 20

// relocation is a word that the dynamic loader sets.
type relocation struct{ addr, value uint64 }

// Relocated returns the memory of a new process after relocation, but for symbols of libraries:
// link-time addresses everywhere, Bias 0. The words are those of the image's DT_RELA table; DT_RELR
// tables leave the addresses in place (ELF gABI, "Relative Relocation Table").
func (img *Image) Relocated() (*Space, error) {
	file := img.Space()
	words, err := img.relocations(file)
	if err != nil {
		return nil, err
	}
	return &Space{read: func(p []byte, addr uint64) error {
		if err := file.read(p, addr); err != nil {
			return err
		}
		end := addr + uint64(len(p))
		first, _ := slices.BinarySearchFunc(words, max(addr, 7)-7, func(r relocation, from uint64) int {
			return cmp.Compare(r.addr, from)
		})
		for _, r := range words[first:] {
			if r.addr >= end {
				break
			}
			for i := range uint64(8) {
				if at := r.addr + i; at >= addr && at < end {
					p[at-addr] = byte(r.value >> (8 * i))
				}
			}
		}
		return nil
	}}, nil
}

// relocations lists the words of the DT_RELA table, by address: pointers into the image, and the
// places of its own thread-local variables.
func (img *Image) relocations(file *Space) ([]relocation, error) {
	at, size, err := img.rela(file)
	if err != nil || size == 0 {
		return nil, err
	}
	const entry = 24 // Elf64_Rela
	if size/entry > mostRelocations {
		return nil, fmt.Errorf("%d relocations: more than %d", size/entry, mostRelocations)
	}
	table := make([]byte, size/entry*entry)
	if err := file.Read(table, at); err != nil {
		return nil, fmt.Errorf("read the relocations: %w", err)
	}
	var words []relocation
	for ; len(table) > 0; table = table[entry:] {
		info, addend := binary.LittleEndian.Uint64(table[8:]), binary.LittleEndian.Uint64(table[16:])
		r := relocation{binary.LittleEndian.Uint64(table), addend}
		switch kind := uint32(info); {
		case info>>32 != 0: // of a symbol
			continue
		case img.Machine == elf.EM_X86_64 && elf.R_X86_64(kind) == elf.R_X86_64_RELATIVE,
			img.Machine == elf.EM_AARCH64 && elf.R_AARCH64(kind) == elf.R_AARCH64_RELATIVE:
		case img.Machine == elf.EM_X86_64 && elf.R_X86_64(kind) == elf.R_X86_64_TPOFF64,
			img.Machine == elf.EM_AARCH64 && elf.R_AARCH64(kind) == elf.R_AARCH64_TLS_TPREL64:
			offset, ok := img.ThreadOffset(addend)
			if !ok {
				continue
			}
			r.value = uint64(offset)
		default:
			continue
		}
		words = append(words, r)
	}
	slices.SortFunc(words, func(a, b relocation) int { return cmp.Compare(a.addr, b.addr) })
	return words, nil
}

// rela finds the DT_RELA table: its link-time address and its size in bytes; 0 = none.
func (img *Image) rela(file *Space) (at, size uint64, err error) {
	for _, p := range img.Progs {
		if elf.ProgType(p.Type) != elf.PT_DYNAMIC {
			continue
		}
		const most = 64 << 10 // bytes; some 30 entries of 16 are usual
		dynamic := make([]byte, min(p.Filesz, most)/16*16)
		if err := file.Read(dynamic, p.Vaddr); err != nil {
			return 0, 0, fmt.Errorf("read the dynamic section: %w", err)
		}
		for ; len(dynamic) > 0; dynamic = dynamic[16:] {
			value := binary.LittleEndian.Uint64(dynamic[8:])
			switch elf.DynTag(binary.LittleEndian.Uint64(dynamic)) {
			case elf.DT_NULL:
				return at, size, nil
			case elf.DT_RELA:
				at = value
			case elf.DT_RELASZ:
				size = value
			}
		}
	}
	return at, size, nil
}

// ThreadOffset returns the distance from the thread pointer of offset value of the program's
// thread-local storage; false = it has none. See "ELF Handling For Thread-Local Storage", 3: on amd64
// the segment ends at the thread pointer (variant II), on arm64 it starts after two words at it
// (variant I). Both keep the alignment of the segment's address.
func (img *Image) ThreadOffset(value uint64) (int64, bool) {
	for _, p := range img.Progs {
		if elf.ProgType(p.Type) != elf.PT_TLS {
			continue
		}
		align := max(p.Align, 1)
		if img.Machine == elf.EM_AARCH64 {
			const words = 16
			return int64(value + words + (p.Vaddr-words)&(align-1)), true
		}
		return int64(value - p.Memsz - (-p.Vaddr-p.Memsz)&(align-1)), true
	}
	return 0, false
}
