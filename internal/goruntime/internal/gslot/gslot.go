// Package gslot finds where the threads of a Go program keep the pointer to the g that runs on
// them, from the instructions that load it.
package gslot

import (
	"debug/elf"
	"errors"
	"fmt"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// A Slot is the place where a thread keeps the pointer to the g that runs on it.
type Slot struct {
	Register bool  // arm64 without cgo: g is in x28 and not in memory
	TLS      int64 // else: the distance in bytes from the thread pointer (amd64: FS base, arm64: TPIDR_EL0)
}

// Functions that load g from thread-local storage among their first instructions, in every release
// and every program (runtime/asm_amd64.s and runtime/tls_arm64.s). The instructions depend on the
// assembler and the linkers, so they are decoded for each program.
const (
	fnMorestack   = "runtime.morestack"
	fnStackcheck  = "runtime.stackcheck"
	fnSystemstack = "runtime.systemstack"
	fnLoadG       = "runtime.load_g"
)

// The symbols of g in the TLS segment. The value is an offset in the segment. Go's linker omits
// them, other linkers do not.
const (
	symTLSAMD64 = "runtime.tlsg"
	symTLSARM64 = "runtime.tls_g"
)

// Functions and Variables are the symbols that a Finder uses. The functions are written in
// assembly.
var (
	Functions = []string{fnMorestack, fnStackcheck, fnSystemstack, fnLoadG}
	Variables = []string{symTLSAMD64, symTLSARM64}
)

// maxTLS bounds a distance from the thread pointer, in bytes: the static TLS of a program and the
// libraries it started with.
const maxTLS = 1 << 20

// A Finder finds the slot of a program.
type Finder struct {
	Image *objfile.Image
	Addrs map[string]uint64                // link-time addresses of Functions and Variables
	GOT   func(addr uint64) (int64, error) // reads a relocated word at a link-time address
	Main  bool                             // Image is the program, not a library of it
}

// Find returns the slot, or an error if the program's code does not load g in a known way. cgo: the
// program is linked with runtime/cgo.
func (f *Finder) Find(cgo bool) (*Slot, error) {
	var slot *Slot
	var err error
	if f.Image.Machine == elf.EM_AARCH64 {
		slot, err = f.findARM64(cgo)
	} else {
		slot, err = f.findAMD64()
	}
	if err != nil {
		return nil, err
	}
	return slot, f.check(slot)
}

// findAMD64 decodes all functions that load g. They must agree.
func (f *Finder) findAMD64() (*Slot, error) {
	var slot *Slot
	for _, name := range []string{fnMorestack, fnStackcheck, fnSystemstack} {
		addr, ok := f.Addrs[name]
		if !ok {
			continue
		}
		load, err := loadAMD64(f.readCode(addr), addr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tls, err := f.resolve(load)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if slot != nil && slot.TLS != tls {
			return nil, fmt.Errorf("%s loads g from the thread pointer %+d, another function from %+d", name, tls, slot.TLS)
		}
		slot = &Slot{TLS: tls}
	}
	if slot == nil {
		return nil, fmt.Errorf("the program has none of the functions that load g, such as %s", fnMorestack)
	}
	if slot.TLS >= 0 { // in variant II, thread-local storage is below the thread pointer
		return nil, fmt.Errorf("g at the thread pointer %+d: an unusual layout", slot.TLS)
	}
	return slot, nil
}

// findARM64 decodes runtime.load_g. It loads g from TLS only in programs with cgo (runtime.iscgo).
func (f *Finder) findARM64(cgo bool) (*Slot, error) {
	if !cgo {
		return &Slot{Register: true}, nil
	}
	addr, ok := f.Addrs[fnLoadG]
	if !ok {
		return nil, fmt.Errorf("the program has no function %s", fnLoadG)
	}
	load, err := loadARM64(f.readCode(addr), addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fnLoadG, err)
	}
	tls, err := f.resolve(load)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fnLoadG, err)
	}
	if tls < 0 { // in variant I, it is above the thread pointer
		return nil, fmt.Errorf("g at the thread pointer %+d: an unusual layout", tls)
	}
	return &Slot{TLS: tls}, nil
}

// codeSize is the number of bytes that are read of a function. Its load of g must be in them.
const codeSize = 64

// readCode returns the first bytes of a function, fewer where the segment ends.
func (f *Finder) readCode(addr uint64) []byte {
	code := f.Image.Space()
	for n := codeSize; n > 0; n /= 2 {
		buf := make([]byte, n)
		if f.Image.Executable(addr) && code.Read(buf, addr) == nil {
			return buf
		}
	}
	return nil
}

// A tlsLoad is the operand of an instruction that loads a slot. Its offset is in the instruction
// (local-exec), or the offset plus a word of the global offset table (initial-exec).
type tlsLoad struct {
	offset int64
	got    uint64 // link-time address of the word, 0 = none
}

// errNoLoad means that the code has no load of g in a form that Go's assembler and the linkers
// make.
var errNoLoad = errors.New("loads g in no known way")

// resolve returns the distance from the thread pointer that l loads from.
func (f *Finder) resolve(l tlsLoad) (int64, error) {
	tls := l.offset
	if l.got != 0 {
		word, err := f.GOT(l.got)
		if err != nil {
			return 0, err
		}
		if word < -maxTLS || word > maxTLS {
			return 0, fmt.Errorf("its word in the global offset table is %#x, not a distance in thread-local storage", word)
		}
		tls += word
	}
	if tls < -maxTLS || tls > maxTLS || tls%8 != 0 {
		return 0, fmt.Errorf("g at the thread pointer %+d: an unusual layout", tls)
	}
	return tls, nil
}

// check compares the slot with the symbol, if there is one. The place of a library in TLS is fixed
// only at run time.
func (f *Finder) check(slot *Slot) error {
	name := symTLSAMD64
	if f.Image.Machine == elf.EM_AARCH64 {
		name = symTLSARM64
	}
	value, ok := f.Addrs[name]
	if slot.Register || !f.Main || !ok {
		return nil
	}
	if want, ok := f.Image.ThreadOffset(value); ok && want != slot.TLS {
		return fmt.Errorf("the code has g at the thread pointer %+d, the symbol %s at %+d", slot.TLS, name, want)
	}
	return nil
}
