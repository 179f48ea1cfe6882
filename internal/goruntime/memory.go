package goruntime

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/pclntab"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Limits of the search for a program in memory.
const (
	maxPieces = 1 << 16   // pieces of memory without a file, from the lowest address on
	maxGap    = 4 << 20   // bytes between two segments of a program: linkers align them to 2 MiB at most
	maxMemory = 256 << 20 // bytes that are searched
)

// memoryObject returns the Go program that lies only in the memory of the process, where a run-time
// packer or a loader of its own puts it. It returns nil if there is none. machine is that of the
// executable. The error wraps objfile.ErrHidden if there is Go build info but no runtime.
func (r *Runtime) memoryObject(machine elf.Machine) (*object, error) {
	pieces, err := r.process.filelessMemory()
	if err != nil {
		return nil, err
	}
	left := uint64(maxMemory)
	for len(pieces) > 0 {
		n := 1 // pieces that may be the segments of one program
		for n < len(pieces) && pieces[n].Vaddr-pieces[n-1].Vaddr-pieces[n-1].Memsz <= maxGap {
			n++
		}
		program := segments(pieces[:n], &left)
		pieces = pieces[n:]
		if program == nil {
			continue
		}
		if r.memErr != nil {
			return nil, r.memErr
		}
		img := objfile.MemoryImage(r.mem, machine, program)
		_, err := pclntab.FindEntries(img, img.Space())
		if err == nil {
			return &object{img: img}, nil
		}
		if _, found := objfile.FindBuildInfo(img); found == nil {
			return nil, fmt.Errorf("%w: its memory holds Go build info, but no runtime that belongs to it: %w; "+
				"observe a build that is not packed", objfile.ErrHidden, err)
		}
	}
	return nil, nil
}

// segments returns the pieces as far as left allows, which it takes from. It returns nil if none of
// them has code.
func segments(pieces []elf.Prog64, left *uint64) []elf.Prog64 {
	if !slices.ContainsFunc(pieces, func(p elf.Prog64) bool { return elf.ProgFlag(p.Flags)&elf.PF_X != 0 }) {
		return nil
	}
	for i := range pieces {
		p := &pieces[i]
		p.Filesz = min(p.Memsz, *left)
		p.Memsz = p.Filesz
		*left -= p.Filesz
	}
	return pieces
}

// filelessMemory returns the readable memory of the process that is no file's, by ascending
// address, as segments of a program: anonymous memory, and that of a memfd if it is private. A
// shared one is left out, because a read of it may make the process larger.
func (p *process) filelessMemory() (pieces []elf.Prog64, err error) {
	err = p.scanMaps(func() { pieces = nil }, func(m procfs.Mapping) error {
		anonymous := m.Inode == 0 && (m.Path == "" || strings.HasPrefix(m.Path, "[anon"))
		if !anonymous && !strings.HasPrefix(m.Path, "/memfd:") || !m.Has("rp") || m.End <= m.Start ||
			len(pieces) == maxPieces {
			return nil
		}
		flags := elf.PF_R
		if m.Has("x") {
			flags |= elf.PF_X
		}
		if m.Has("w") || !m.Has("x") { // what was written before a linker's RELRO is read-only now
			flags |= elf.PF_W
		}
		pieces = append(pieces, elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(flags), Vaddr: m.Start, Off: m.Start, Memsz: m.End - m.Start,
		})
		return nil
	})
	return pieces, err
}
