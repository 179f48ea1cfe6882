package goruntime

import (
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// debugSection returns the decompressed contents of the section .debug_NAME as a stream; errNoDWARF when there is none.
// Go compresses it: as .zdebug_NAME with a header of its own before Go 1.19, in ELF's standard way since.
func (img *image) debugSection(name string) (io.Reader, error) {
	s := img.fileSection(".debug_"+name, ".zdebug_"+name)
	if s == nil {
		return nil, errNoDWARF
	}
	r := img.contents(s)
	skip := int64(0)
	switch {
	case s.compressed:
		var h elf.Chdr64
		if err := readStruct(r, s.size, 0, &h); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.name, err)
		}
		if elf.CompressionType(h.Type) != elf.COMPRESS_ZLIB {
			return nil, fmt.Errorf("read %s: compressed as %s", s.name, elf.CompressionType(h.Type))
		}
		skip = int64(binary.Size(h))
	case s.name[1] == 'z':
		var magic [4]byte
		if _, err := r.ReadAt(magic[:], 0); err != nil || string(magic[:]) != "ZLIB" {
			return nil, fmt.Errorf("read %s: not compressed as its name says", s.name)
		}
		skip = 12 // the magic and the size
	}
	body := io.NewSectionReader(r, skip, max(s.size-skip, 0))
	if skip == 0 {
		return body, nil
	}
	z, err := zlib.NewReader(body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.name, err)
	}
	return z, nil
}

// debugBytes returns the contents of .debug_NAME, at most limit bytes. It takes memory for what is there, whatever size is
// promised.
func (img *image) debugBytes(name string, limit int64) ([]byte, error) {
	r, err := img.debugSection(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read .debug_%s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read .debug_%s: more than %d MiB: %w", name, limit>>20, errLimit)
	}
	return b, nil
}
