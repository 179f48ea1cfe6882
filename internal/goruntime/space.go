package goruntime

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A space reads a program's bytes by link-time address, from the file or from the memory of a process that runs it.
// A pointer is stored as its link-time address plus bias: files hold it with bias 0 (or hold zero, where a linker leaves
// the value to a relocation), a process holds it with its load bias.
type space struct {
	read func(p []byte, addr uint64) error
	bias uint64
}

// fileSpace reads what a fresh process has at an address, before relocation: the file's bytes, then zeros where a
// segment is larger in memory than in the file.
func fileSpace(img *image) *space {
	return &space{read: func(p []byte, addr uint64) error {
		for _, s := range img.progs {
			at := addr - s.Vaddr
			if elf.ProgType(s.Type) != elf.PT_LOAD || addr < s.Vaddr || at >= s.Memsz || uint64(len(p)) > s.Memsz-at {
				continue
			}
			clear(p)
			if at < s.Filesz {
				p = p[:min(uint64(len(p)), s.Filesz-at)]
				return readFull(img, p, s.Off, at)
			}
			return nil
		}
		return fmt.Errorf("address %#x is not in the file", addr)
	}}
}

// memorySpace reads what a process has at an address. mem is its /proc/PID/mem.
func memorySpace(mem io.ReaderAt, bias uint64) *space {
	return &space{bias: bias, read: func(p []byte, addr uint64) error {
		at := int64(addr + bias)
		if at < 0 {
			return fmt.Errorf("address %#x is not a user address", addr+bias)
		}
		if n, err := mem.ReadAt(p, at); n < len(p) {
			return fmt.Errorf("read memory at %#x: %w", at, err)
		}
		return nil
	}}
}

// readFull fills p from offset at of the segment at off in the file.
func readFull(img *image, p []byte, off, at uint64) error {
	if off+at < off || off+at > uint64(img.size) || uint64(len(p)) > uint64(img.size)-off-at {
		return fmt.Errorf("%d bytes at offset %#x lie outside the file", len(p), off+at)
	}
	if n, err := img.r.ReadAt(p, int64(off+at)); n < len(p) {
		return err
	}
	return nil
}

// pointer reads the pointer at addr and returns it as a link-time address.
func (s *space) pointer(addr uint64) (uint64, error) {
	v, err := s.word(addr)
	if err != nil {
		return 0, err
	}
	if v == 0 {
		return 0, fmt.Errorf("pointer at %#x: %w", addr, errUnrelocated)
	}
	return v - s.bias, nil
}

// errUnrelocated says that a pointer is zero where only a relocation would fill it in.
var errUnrelocated = errors.New("zero in the file, set when the program is loaded")

// word reads the 64-bit value at addr as it is stored.
func (s *space) word(addr uint64) (uint64, error) {
	var buf [8]byte
	err := s.read(buf[:], addr)
	return binary.LittleEndian.Uint64(buf[:]), err
}

// readerAt gives the bytes from addr on as an io.ReaderAt.
func (s *space) readerAt(addr uint64) io.ReaderAt { return spaceReader{s, addr} }

type spaceReader struct {
	s    *space
	addr uint64
}

func (r spaceReader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.s.read(p, r.addr+uint64(off)); err != nil {
		return 0, err
	}
	return len(p), nil
}
