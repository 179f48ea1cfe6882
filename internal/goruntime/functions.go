package goruntime

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
)

// What Open looks up, besides what finds g (gslot.go). Assembly functions appear in .symtab with the suffix .abi0 when the
// linker had to tell them from their wrappers, in pclntab never.
const (
	fnAsyncPreempt   = "runtime.asyncPreempt"
	fnCrosscall2     = "crosscall2"       // runtime/cgo's way from C into Go: linked in if and only if runtime/cgo is
	fnRacecall       = "runtime.racecall" // assembly that race-enabled runtimes alone have
	fnMain           = "runtime.main"     // in every program: a table without it is not the whole table
	fnLockOSThread   = "runtime.LockOSThread"
	fnSysmon         = "runtime.sysmon"
	fnTemplateThread = "runtime.templateThread"
	abi0             = ".abi0"

	// Only .symtab has these, but for the last two.
	varGomaxprocs = "runtime.gomaxprocs"
	varAllM       = "runtime.allm"
	varM0         = "runtime.m0"
	varSigsetAll  = "runtime.sigset_all"       // os_linux_generic.go: what newosproc blocks around a clone
	varSigsetExit = "runtime.sigsetAllExiting" // signal_unix.go, since Go 1.16: what a thread blocks when it ends
	symText       = "runtime.text"
	symEtext      = "runtime.etext"
)

var (
	goFunctions  = []string{fnCrosscall2, fnMain, fnLockOSThread, fnSysmon, fnTemplateThread}
	asmFunctions = []string{fnAsyncPreempt, fnRacecall, fnMorestack, fnStackcheck, fnSystemstack, fnLoadG}
	variables    = []string{varGomaxprocs, varAllM, varM0, varSigsetAll, varSigsetExit, symText, symEtext, symTLSAMD64, symTLSARM64}
)

// lookUp returns the link-time addresses of what Open wants to know, from .symtab when it has them, else from pclntab.
// A name that is absent from the result is absent from the program.
func lookUp(img *image, s *space) (map[string]uint64, error) {
	names := slices.Concat(goFunctions, asmFunctions, variables)
	for _, name := range asmFunctions {
		names = append(names, name+abi0)
	}
	syms, symErr := img.symbols(names...)
	for _, name := range asmFunctions {
		if addr, ok := syms[name+abi0]; ok {
			syms[name] = addr
		}
	}
	if _, ok := syms[fnMain]; ok {
		return syms, nil
	}
	funcs, err := lookUpFuncs(img, s)
	return funcs, errors.Join(symErr, err)
}

// lookUpFuncs is lookUp in pclntab.
func lookUpFuncs(img *image, s *space) (map[string]uint64, error) {
	tab, _, base, err := openTable(img, s)
	if err != nil {
		return nil, err
	}
	found, err := tab.find(slices.Concat(goFunctions, asmFunctions)...)
	if err != nil {
		return nil, fmt.Errorf("read pclntab: %w", err)
	}
	if _, ok := found[fnMain]; !ok {
		return nil, fmt.Errorf("pclntab has no %s: forged, or of an unknown layout", fnMain)
	}
	for name, entry := range found {
		if tab.layout.field == 8 && entry == 0 {
			return nil, fmt.Errorf("address of %s: %w", name, errUnrelocated)
		}
		if !img.executable(base + entry) {
			return nil, fmt.Errorf("%s at %#x is not in an executable segment", name, base+entry)
		}
		found[name] = base + entry
	}
	first, last, err := tab.bounds()
	if err != nil {
		return nil, fmt.Errorf("read pclntab: %w", err)
	}
	found[symText], found[symEtext] = base+first, base+last
	return found, nil
}

// openTable opens pclntab, which is at the link-time address addr. What it stores as an address is a link-time one less base.
func openTable(img *image, s *space) (tab *pclntab, addr, base uint64, err error) {
	sec, err := pclntabSection(img)
	if err != nil {
		return nil, 0, 0, err
	}
	if tab, err = openPclntab(img.contents(sec), sec.size, s.readerAt(sec.addr)); err != nil {
		return nil, 0, 0, fmt.Errorf("read pclntab: %w", err)
	}
	base = -s.bias
	if tab.layout.field == 4 {
		if base, err = textStart(img, s, tab, sec); err != nil {
			return nil, 0, 0, fmt.Errorf("find the text start: %w", err)
		}
	}
	return tab, sec.addr, base, nil
}

// pclntabSection returns where pclntab is: a section of its own, which in a PIE that Go linked before 1.26 has another
// name, and which GNU ld makes part of .data.rel.ro, so that only its header's first bytes tell its place.
func pclntabSection(img *image) (*section, error) {
	if sec := img.section(".gopclntab", ".data.rel.ro.gopclntab"); sec != nil {
		return sec, nil
	}
	if len(img.sections) == 0 {
		return nil, errors.New("the file has no section headers to find pclntab by")
	}
	rel := img.section(".data.rel.ro")
	if rel == nil || img.typ != elf.ET_DYN {
		return nil, errors.New("the file has no section .gopclntab")
	}
	off, err := findPclntab(img.contents(rel), rel.size)
	if err != nil {
		return nil, fmt.Errorf("search %s for pclntab: %w", rel.name, err)
	}
	return &section{name: rel.name, addr: rel.addr + uint64(off), off: rel.off + off, size: rel.size - off}, nil
}

// textStart returns the link-time address that function offsets count from, which is runtime.text and, where C code is
// linked in, not the start of the section .text. Go 1.18 to 1.25 store it in pclntab's header; since 1.26 the header has
// zero there and moduledata, at the start of a section of its own, tells.
func textStart(img *image, s *space, tab *pclntab, sec *section) (uint64, error) {
	stored, err := tab.textStart()
	if err != nil {
		return 0, err
	}
	if stored != 0 {
		return stored - s.bias, nil
	}
	mod := img.section(".go.module")
	if mod == nil {
		if img.typ != elf.ET_EXEC {
			return 0, fmt.Errorf("pclntab's header: %w", errUnrelocated)
		}
		return 0, errors.New("pclntab's header does not tell it and there is no section .go.module")
	}
	// runtime.moduledata: pcHeader, six slices, findfunctab, minpc, maxpc, text. The same since Go 1.16.
	const textOffset = 8 + 6*24 + 3*8
	header, err := s.pointer(mod.addr)
	if err != nil {
		return 0, fmt.Errorf("read moduledata: %w", err)
	}
	if header != sec.addr {
		return 0, fmt.Errorf("moduledata names %#x as its pclntab, not %#x", header, sec.addr)
	}
	return s.pointer(mod.addr + textOffset)
}
