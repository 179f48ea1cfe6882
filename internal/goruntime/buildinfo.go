package goruntime

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

	maxSearch  = 64 << 20 // bytes of data searched for the magic where no section tells its place
	maxVersion = 1 << 10
	maxModules = 4 << 20 // the largest programs known have some 100 KB of module information
)

// readBuildInfo returns the version of Go that built img, and the build settings, empty before Go 1.18 or when they were left out.
// It reads what debug/buildinfo reads, with three differences: it knows bounds, it finds the strings of an externally
// linked PIE from before Go 1.18 in the process's memory, and it takes ELF only. Errors wrap ErrNotGo when there is no build info.
func readBuildInfo(img *image, s *space) (string, *debug.BuildInfo, error) {
	addr, err := findBuildInfo(img)
	if err != nil {
		return "", nil, err
	}
	file := fileSpace(img)
	header := make([]byte, buildInfoHeader)
	if err := file.read(header, addr); err != nil {
		return "", nil, fmt.Errorf("read build info: %w", err)
	}
	// header: 14 bytes of magic, pointer size, flags, then for flag 2 (Go 1.18) nothing and the strings behind the
	// header, each after its length; otherwise pointers to two strings.
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
		return "", nil, notGo("its build info gives %.40q as the Go version", version)
	}
	// Module information stands between two sentinels of 16 bytes (cmd/go/internal/modload.ModInfoData).
	if len(modules) < 33 || modules[len(modules)-17] != '\n' {
		return version, &debug.BuildInfo{}, nil
	}
	info, err := debug.ParseBuildInfo(modules[16 : len(modules)-16])
	if err != nil {
		return "", nil, fmt.Errorf("read build info: %w", err)
	}
	return version, info, nil
}

// findBuildInfo returns the link-time address of the build info: the section's, else, as for the Go toolchain itself,
// that of the first aligned magic in the first writable segment.
func findBuildInfo(img *image) (uint64, error) {
	if sec := img.section(".go.buildinfo"); sec != nil {
		b, err := img.bytes(uint64(sec.off), uint64(min(sec.size, buildInfoHeader)), buildInfoHeader)
		if err != nil {
			return 0, fmt.Errorf("read build info: %w", err)
		}
		if bytes.HasPrefix(b, []byte(buildInfoMagic)) {
			return sec.addr, nil
		}
		return 0, notGo("its section .go.buildinfo holds something else")
	}
	for _, p := range img.progs {
		if elf.ProgType(p.Type) != elf.PT_LOAD || elf.ProgFlag(p.Flags)&(elf.PF_W|elf.PF_X) != elf.PF_W {
			continue
		}
		if p.Off > uint64(img.size) {
			break
		}
		size := int64(min(p.Filesz, uint64(img.size)-p.Off, maxSearch))
		off, ok, err := searchAligned(img, int64(p.Off), size)
		if err != nil {
			return 0, fmt.Errorf("search build info: %w", err)
		}
		if ok {
			return p.Vaddr + uint64(off), nil
		}
		break
	}
	return 0, notGo("it has no build info, which every program since Go 1.13 has")
}

// searchAligned returns where in the size bytes at off of the file the magic stands.
func searchAligned(img *image, off, size int64) (int64, bool, error) {
	left := budget(readBudget)
	w := newWindow(img.r, img.size, &left)
	for pos := int64(0); pos < size; pos += windowSize { // a multiple of the alignment: the magic lies within one window
		chunk, err := w.at(off+pos, int(min(windowSize, size-pos)))
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

// inlineString reads the string at addr, which follows its length, and returns the address behind it.
func inlineString(s *space, addr uint64, limit uint64) (string, uint64, error) {
	var prefix []byte
	for len(prefix) < binary.MaxVarintLen64 && (len(prefix) == 0 || prefix[len(prefix)-1] >= 0x80) {
		var b [1]byte // byte by byte: the string may be the last thing in its segment
		if err := s.read(b[:], addr+uint64(len(prefix))); err != nil {
			return "", 0, err
		}
		prefix = append(prefix, b[0])
	}
	size, n := binary.Uvarint(prefix)
	if n <= 0 || size > limit {
		return "", 0, fmt.Errorf("string of %d bytes: %w", size, errLimit)
	}
	addr += uint64(n)
	buf := make([]byte, size)
	if size > 0 {
		if err := s.read(buf, addr); err != nil {
			return "", 0, err
		}
	}
	return string(buf), addr + size, nil
}

// stringAt reads the Go string that the pointer at addr points to; "" when the pointer or the string is nil.
func stringAt(s *space, addr uint64, limit uint64) (string, error) {
	if v, err := s.word(addr); err != nil || v == 0 {
		return "", err
	}
	header, err := s.pointer(addr)
	if err != nil {
		return "", err
	}
	size, err := s.word(header + 8)
	if err != nil || size == 0 {
		return "", err
	}
	if size > limit {
		return "", fmt.Errorf("string of %d bytes: %w", size, errLimit)
	}
	data, err := s.pointer(header)
	if err != nil {
		return "", err
	}
	buf := make([]byte, size)
	if err := s.read(buf, data); err != nil {
		return "", err
	}
	return string(buf), nil
}
