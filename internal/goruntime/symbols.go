package goruntime

import (
	"debug/elf"
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/pclntab"
)

// Symbols names the code of a Go program.
type Symbols = pclntab.Symbols

// A Frame is one call on a stack, as Symbols returns it.
type Frame = pclntab.Frame

// Symbols opens the names of the program's functions.
func (r *Runtime) Symbols() (*Symbols, error) {
	img := r.obj.img
	s := img.Space()
	if r.PIE { // addresses in the file are relocated when it is loaded
		mem, err := r.relocated()
		if err != nil {
			return nil, fmt.Errorf("find the program's functions: %w", err)
		}
		s = mem
	}
	symbols, err := pclntab.Open(img, s, r.obj.bias)
	if err != nil {
		return nil, fmt.Errorf("find the program's functions: %w", err)
	}
	if r.Info.Plugins {
		symbols.Others = r.pluginSymbols
	}
	return symbols, nil
}

// CodePlace returns the place in its file of the instruction at the run-time address addr: a path
// by which this process can open the file while r is open, and the offset in it.
func (r *Runtime) CodePlace(addr uint64) (path string, offset uint64, err error) {
	for _, obj := range r.objects() {
		if obj.file == nil {
			return "", 0, errors.New("the program lies only in memory, and a breakpoint needs a file")
		}
		link := addr - obj.bias
		for _, p := range obj.img.Progs {
			if elf.ProgType(p.Type) == elf.PT_LOAD && elf.ProgFlag(p.Flags)&elf.PF_X != 0 &&
				link >= p.Vaddr && link-p.Vaddr < p.Filesz {
				return fmt.Sprintf("/proc/self/fd/%d", obj.file.Fd()), link - p.Vaddr + p.Off, nil
			}
		}
	}
	return "", 0, fmt.Errorf("address %#x is not in the program's code", addr)
}
