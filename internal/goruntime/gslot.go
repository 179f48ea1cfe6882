package goruntime

import (
	"debug/elf"
	"errors"
	"fmt"
)

// GSlot says where a thread keeps the pointer to the g that runs on it.
type GSlot struct {
	Register bool  // arm64 without cgo: in x28, and nowhere in memory
	TLS      int64 // otherwise at the thread pointer (amd64: FS base, arm64: TPIDR_EL0) plus this
}

// Functions that load g from thread-local storage among their first instructions, in every release and every program
// (runtime/asm_amd64.s and runtime/tls_arm64.s). The assembler and the linkers choose how, so each program is asked anew.
const (
	fnMorestack   = "runtime.morestack"
	fnStackcheck  = "runtime.stackcheck"
	fnSystemstack = "runtime.systemstack"
	fnLoadG       = "runtime.load_g"
)

// The symbols of g's place in the TLS segment. Their value is an offset in the segment; Go's own linker omits them, others don't.
const (
	symTLSAMD64 = "runtime.tlsg"
	symTLSARM64 = "runtime.tls_g"
)

// maxTLS bounds a distance from the thread pointer: the static TLS of a program and the libraries it started with.
const maxTLS = 1 << 20

// A slotReader finds the TLS slot of g in a program.
type slotReader struct {
	img   *image
	addrs map[string]uint64                // as lookUp returns them
	code  *space                           // the file
	got   func(addr uint64) (int64, error) // reads a relocated word at a link-time address
	main  bool                             // img is the program, not a library of it
}

// find returns the slot, or an error when the program's code does not tell it plainly.
func (r *slotReader) find(cgo bool) (*GSlot, error) {
	var slot *GSlot
	var err error
	if r.img.machine == elf.EM_AARCH64 {
		slot, err = r.findARM64(cgo)
	} else {
		slot, err = r.findAMD64()
	}
	if err != nil {
		return nil, err
	}
	return slot, r.check(slot)
}

// findAMD64 asks all functions that load g; they must agree.
func (r *slotReader) findAMD64() (*GSlot, error) {
	var slot *GSlot
	for _, name := range []string{fnMorestack, fnStackcheck, fnSystemstack} {
		addr, ok := r.addrs[name]
		if !ok {
			continue
		}
		load, err := loadAMD64(r.readCode(addr), addr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tls, err := r.resolve(load)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if slot != nil && slot.TLS != tls {
			return nil, fmt.Errorf("%s loads g from the thread pointer %+d, another function from %+d", name, tls, slot.TLS)
		}
		slot = &GSlot{TLS: tls}
	}
	if slot == nil {
		return nil, fmt.Errorf("the program has no function that is known to load g, such as %s", fnMorestack)
	}
	if slot.TLS >= 0 { // variant II of thread-local storage lies below the thread pointer
		return nil, fmt.Errorf("g at the thread pointer %+d: an unusual layout", slot.TLS)
	}
	return slot, nil
}

// findARM64 reads runtime.load_g, which looks into TLS in programs with cgo only (runtime.iscgo).
func (r *slotReader) findARM64(cgo bool) (*GSlot, error) {
	if !cgo {
		return &GSlot{Register: true}, nil
	}
	addr, ok := r.addrs[fnLoadG]
	if !ok {
		return nil, fmt.Errorf("the program has no function %s", fnLoadG)
	}
	load, err := loadARM64(r.readCode(addr), addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fnLoadG, err)
	}
	tls, err := r.resolve(load)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fnLoadG, err)
	}
	if tls < 0 { // variant I lies above it
		return nil, fmt.Errorf("g at the thread pointer %+d: an unusual layout", tls)
	}
	return &GSlot{TLS: tls}, nil
}

// codeSize is what is read of a function; its load of g must lie in it.
const codeSize = 64

// readCode returns the first bytes of a function, fewer where the segment ends.
func (r *slotReader) readCode(addr uint64) []byte {
	for n := codeSize; n > 0; n /= 2 {
		buf := make([]byte, n)
		if r.img.executable(addr) && r.code.read(buf, addr) == nil {
			return buf
		}
	}
	return nil
}

// A tlsLoad is how an instruction finds a slot: at an offset that it contains, or that a word of the global offset table
// does (the models local-exec and initial-exec of thread-local storage).
type tlsLoad struct {
	offset int64
	got    uint64 // link-time address of the word, to be added to offset; 0: none
}

// errNoLoad says that code looks unlike any that Go's assembler and the linkers make of a load of g.
var errNoLoad = errors.New("loads g in no known way")

func (r *slotReader) resolve(l tlsLoad) (int64, error) {
	tls := l.offset
	if l.got != 0 {
		word, err := r.got(l.got)
		if err != nil {
			return 0, err
		}
		if word < -maxTLS || word > maxTLS {
			return 0, fmt.Errorf("its word in the global offset table holds %#x, no distance in thread-local storage", word)
		}
		tls += word
	}
	if tls < -maxTLS || tls > maxTLS || tls%8 != 0 {
		return 0, fmt.Errorf("g at the thread pointer %+d: an unusual layout", tls)
	}
	return tls, nil
}

// check compares the slot with what the symbol says, where there is one. A library's place in TLS is known at run time only.
func (r *slotReader) check(slot *GSlot) error {
	name := symTLSAMD64
	if r.img.machine == elf.EM_AARCH64 {
		name = symTLSARM64
	}
	value, ok := r.addrs[name]
	if slot.Register || !r.main || !ok {
		return nil
	}
	for _, p := range r.img.progs {
		if elf.ProgType(p.Type) != elf.PT_TLS {
			continue
		}
		if want := tpOffset(r.img.machine, p, value); want != slot.TLS {
			return fmt.Errorf("the code finds g at the thread pointer %+d, the symbol %s says %+d", slot.TLS, name, want)
		}
	}
	return nil
}

// tpOffset returns the distance from the thread pointer of what lies at offset value of the program's TLS segment p. See
// "ELF Handling For Thread-Local Storage", 3: on amd64 the segment ends at the thread pointer (variant II), on arm64 it
// starts behind two words at it (variant I); both keep the alignment of the segment's address.
func tpOffset(machine elf.Machine, p elf.Prog64, value uint64) int64 {
	align := max(p.Align, 1)
	if machine == elf.EM_AARCH64 {
		const words = 16
		return int64(value + words + (p.Vaddr-words)&(align-1))
	}
	return int64(value - p.Memsz - (-p.Vaddr-p.Memsz)&(align-1))
}
