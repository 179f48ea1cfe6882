package objfile

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A Space reads a program's bytes by link-time address, from the file or from the memory of a
// process that runs the program. A pointer is stored as its link-time address plus Bias. Bias is 0
// in a file, and the load bias in a process. In a file the pointer is zero where only a relocation
// sets it.
type Space struct {
	read func(p []byte, addr uint64) error
	Bias uint64
}

// Space returns the memory of a new process before relocation: the file's bytes, then zeros where a
// segment is larger in memory than in the file.
func (img *Image) Space() *Space {
	return &Space{read: func(p []byte, addr uint64) error {
		for _, s := range img.Progs {
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

// MemorySpace returns the memory of a process. mem is its /proc/PID/mem, and bias its load bias.
func MemorySpace(mem io.ReaderAt, bias uint64) *Space {
	return &Space{Bias: bias, read: func(p []byte, addr uint64) error {
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
func readFull(img *Image, p []byte, off, at uint64) error {
	if off+at < off || off+at > uint64(img.size) || uint64(len(p)) > uint64(img.size)-off-at {
		return fmt.Errorf("%d bytes at offset %#x lie outside the file", len(p), off+at)
	}
	if n, err := img.r.ReadAt(p, int64(off+at)); n < len(p) {
		return err
	}
	return nil
}

// Read fills p with the bytes at addr.
func (s *Space) Read(p []byte, addr uint64) error { return s.read(p, addr) }

// Pointer reads the pointer at addr and returns it as a link-time address.
func (s *Space) Pointer(addr uint64) (uint64, error) {
	v, err := s.Word(addr)
	if err != nil {
		return 0, err
	}
	if v == 0 {
		return 0, fmt.Errorf("pointer at %#x: %w", addr, ErrUnrelocated)
	}
	return v - s.Bias, nil
}

// ErrUnrelocated means that a pointer is zero because only a relocation sets it.
var ErrUnrelocated = errors.New("zero in the file, set when the program is loaded")

// Word returns the stored 64-bit value at addr.
func (s *Space) Word(addr uint64) (uint64, error) {
	var buf [8]byte
	err := s.read(buf[:], addr)
	return binary.LittleEndian.Uint64(buf[:]), err
}

// ReaderAt returns a reader whose offset 0 is addr.
func (s *Space) ReaderAt(addr uint64) io.ReaderAt { return spaceReader{s, addr} }

type spaceReader struct {
	s    *Space
	addr uint64
}

func (r spaceReader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.s.Read(p, r.addr+uint64(off)); err != nil {
		return 0, err
	}
	return len(p), nil
}
