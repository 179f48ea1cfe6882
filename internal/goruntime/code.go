package goruntime

import (
	"debug/elf"
	"fmt"
)

// Symbols opens the names of the program's functions.
func (r *Runtime) Symbols() (*Symbols, error) {
	img := r.obj.img
	s := fileSpace(img)
	if r.PIE { // addresses in the file are relocated when it is loaded
		mem, err := r.space()
		if err != nil {
			return nil, fmt.Errorf("find the program's functions: %w", err)
		}
		s = mem
	}
	symbols, err := openSymbols(img, s, r.obj.bias)
	if err != nil {
		return nil, fmt.Errorf("find the program's functions: %w", err)
	}
	return symbols, nil
}

// CodePlace says where the instruction at a run-time address stands: a path by which this process can open the file, as long as r is
// open, and the offset in it.
func (r *Runtime) CodePlace(addr uint64) (path string, offset uint64, err error) {
	link := addr - r.obj.bias
	for _, p := range r.obj.img.progs {
		if elf.ProgType(p.Type) == elf.PT_LOAD && elf.ProgFlag(p.Flags)&elf.PF_X != 0 && link >= p.Vaddr && link-p.Vaddr < p.Filesz {
			return fmt.Sprintf("/proc/self/fd/%d", r.obj.file.Fd()), link - p.Vaddr + p.Off, nil
		}
	}
	return "", 0, fmt.Errorf("address %#x is not in the program's code", addr)
}
