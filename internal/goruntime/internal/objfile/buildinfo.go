package objfile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
)

const (
	buildInfoMagic  = "\xff Go buildinf:"
	buildInfoHeader = 32
	buildInfoAlign  = 16

	maxSearch  = 64 << 20 // bytes of data searched for the magic where there is no section .go.buildinfo
	maxVersion = 1 << 10
	maxModules = 4 << 20 // the largest programs known have some 100 KB of module information
)

// ReadBuildInfo returns the version of Go that built img, and the build settings. These are empty
// before Go 1.18 and where they were left out. Errors wrap ErrNotGo if there is no build info. It
// differs from debug/buildinfo in three ways: its reads are bounded, it takes ELF only, and it
// reads the strings from s, which is the process's memory for an externally linked PIE from before
// Go 1.18.
func ReadBuildInfo(img *Image, s *Space) (string, *debug.BuildInfo, error) {
	addr, err := FindBuildInfo(img)
	if err != nil {
		return "", nil, err
	}
	file := img.Space()
	header := make([]byte, buildInfoHeader)
	if err := file.Read(header, addr); err != nil {
		return "", nil, fmt.Errorf("read build info: %w", err)
	}
	// The header holds 14 bytes of magic, the pointer size and flags. With flag 2 (Go 1.18) the two
	// strings follow the header, each after its length. Without it, pointers to the two strings follow
	// the flags.
	var version, modules string
	if header[15]&2 != 0 {
		next := addr + buildInfoHeader
		if version, next, err = inlineString(file, next, maxVersion); err == nil {
			modules, _, err = inlineString(file, next, maxModules)
		}
	} else if header[14] != 8 || header[15] != 0 {
		err = errors.New("not of a 64-bit little-endian program")
	} else if version, err = stringAt(s, addr+16, maxVersion); err == nil {
		modules, err = stringAt(s, addr+24, maxModules)
	}
	if err != nil {
		return "", nil, fmt.Errorf("read build info: %w", err)
	}
	if !strings.HasPrefix(version, "go") && !strings.HasPrefix(version, "devel") || !printable(version) {
		return "", nil, fmt.Errorf("its build info has %.40q as the Go version", version)
	}
	// Two sentinels of 16 bytes enclose the module information (cmd/go/internal/modload.ModInfoData).
	if len(modules) < 33 || modules[len(modules)-17] != '\n' {
		return version, &debug.BuildInfo{}, nil
	}
	info, err := debug.ParseBuildInfo(modules[16 : len(modules)-16])
	if err != nil {
		return "", nil, fmt.Errorf("read build info: %w", err)
	}
	return version, info, nil
}

// FindBuildInfo returns the link-time address of the build info: that of its section, else that of
// the first aligned magic in a writable segment.
func FindBuildInfo(img *Image) (uint64, error) {
	if sec := img.Section(".go.buildinfo"); sec != nil {
		b, err := img.bytes(uint64(sec.Off), uint64(min(sec.Size, buildInfoHeader)), buildInfoHeader)
		if err != nil {
			return 0, fmt.Errorf("read build info: %w", err)
		}
		if bytes.HasPrefix(b, []byte(buildInfoMagic)) {
			return sec.Addr, nil
		}
		return 0, NotGo("its section .go.buildinfo holds something else")
	}
	left, rest := Budget(ReadBudget), uint64(maxSearch)
	for _, p := range img.Progs {
		if elf.ProgType(p.Type) != elf.PT_LOAD || elf.ProgFlag(p.Flags)&elf.PF_W == 0 || p.Off > uint64(img.size) {
			continue
		}
		size := min(p.Filesz, uint64(img.size)-p.Off, rest)
		rest -= size
		off, ok, err := searchAligned(img, int64(p.Off), int64(size), &left)
		if err != nil {
			return 0, fmt.Errorf("search build info: %w", err)
		}
		if ok {
			return p.Vaddr + uint64(off), nil
		}
	}
	return 0, NotGo("it has no build info, which every program since Go 1.13 has")
}

// searchAligned returns the place of the magic in the size bytes at off of the file, counted from
// off.
func searchAligned(img *Image, off, size int64, left *Budget) (int64, bool, error) {
	w := NewView(img.r, img.size, left)
	for pos := int64(0); pos < size; pos += ViewSize { // a multiple of the alignment: the magic lies within one chunk
		chunk, err := w.Bytes(off+pos, int(min(ViewSize, size-pos)))
		if err != nil {
			return 0, false, err
		}
		for i := 0; i+buildInfoAlign <= len(chunk); i += buildInfoAlign {
			if bytes.HasPrefix(chunk[i:], []byte(buildInfoMagic)) {
				return pos + int64(i), true, nil
			}
		}
	}
	return 0, false, nil
}

// inlineString reads the length at addr and the string that follows it. It returns the address
// after the string.
func inlineString(s *Space, addr uint64, limit uint64) (string, uint64, error) {
	var prefix []byte
	for len(prefix) < binary.MaxVarintLen64 && (len(prefix) == 0 || prefix[len(prefix)-1] >= 0x80) {
		var b [1]byte // byte by byte: the string may be the last thing in its segment
		if err := s.Read(b[:], addr+uint64(len(prefix))); err != nil {
			return "", 0, err
		}
		prefix = append(prefix, b[0])
	}
	size, n := binary.Uvarint(prefix)
	if n <= 0 || size > limit {
		return "", 0, fmt.Errorf("string of %d bytes: %w", size, ErrLimit)
	}
	addr += uint64(n)
	buf := make([]byte, size)
	if size > 0 {
		if err := s.Read(buf, addr); err != nil {
			return "", 0, err
		}
	}
	return string(buf), addr + size, nil
}

// stringAt returns the Go string that the pointer at addr points to, or "" if the pointer or the
// string is nil.
func stringAt(s *Space, addr uint64, limit uint64) (string, error) {
	if v, err := s.Word(addr); err != nil || v == 0 {
		return "", err
	}
	header, err := s.Pointer(addr)
	if err != nil {
		return "", err
	}
	size, err := s.Word(header + 8)
	if err != nil || size == 0 {
		return "", err
	}
	if size > limit {
		return "", fmt.Errorf("string of %d bytes: %w", size, ErrLimit)
	}
	data, err := s.Pointer(header)
	if err != nil {
		return "", err
	}
	buf := make([]byte, size)
	if err := s.Read(buf, data); err != nil {
		return "", err
	}
	return string(buf), nil
}
