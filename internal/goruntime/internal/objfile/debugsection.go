package objfile

import (
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNoDWARF means that the program was linked with -w or -s, or stripped.
var ErrNoDWARF = errors.New("the program has no DWARF")

// DebugSection returns a stream of the decompressed section .debug_NAME, or ErrNoDWARF. Go
// compresses the section: before Go 1.19 as .zdebug_NAME with a non-standard header, since then as
// ELF specifies.
func (img *Image) DebugSection(name string) (io.Reader, error) {
	s := img.fileSection(".debug_"+name, ".zdebug_"+name)
	if s == nil {
		return nil, ErrNoDWARF
	}
	r := img.Contents(s)
	skip := int64(0)
	switch {
	case s.compressed:
		var h elf.Chdr64
		if err := readStruct(r, s.Size, 0, &h); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.Name, err)
		}
		if elf.CompressionType(h.Type) != elf.COMPRESS_ZLIB {
			return nil, fmt.Errorf("read %s: compressed as %s", s.Name, elf.CompressionType(h.Type))
		}
		skip = int64(binary.Size(h))
	case s.Name[1] == 'z':
		var magic [4]byte
		if _, err := r.ReadAt(magic[:], 0); err != nil || string(magic[:]) != "ZLIB" {
			return nil, fmt.Errorf("read %s: no compressed stream", s.Name)
		}
		skip = 12 // the magic and the size
	}
	body := io.NewSectionReader(r, skip, max(s.Size-skip, 0))
	if skip == 0 {
		return body, nil
	}
	z, err := zlib.NewReader(body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.Name, err)
	}
	return z, nil
}

// DebugBytes returns the decompressed section .debug_NAME, of at most limit bytes. It allocates by
// the bytes that are there, not by the size that the header states.
func (img *Image) DebugBytes(name string, limit int64) ([]byte, error) {
	r, err := img.DebugSection(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read .debug_%s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read .debug_%s: more than %d MiB: %w", name, limit>>20, ErrLimit)
	}
	return b, nil
}
