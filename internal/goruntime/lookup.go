package goruntime

import (
	"errors"
	"slices"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/gslot"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/pclntab"
)

// Symbols that Open looks up, besides those that find g. Assembly functions have the suffix .abi0
// in .symtab if the linker distinguishes them from their wrappers. In pclntab they never have it.
const (
	fnAsyncPreempt   = "runtime.asyncPreempt"
	fnCrosscall2     = "crosscall2"       // runtime/cgo's way from C into Go: linked in if and only if runtime/cgo is
	fnRacecall       = "runtime.racecall" // assembly that only race-enabled runtimes have
	fnMain           = "runtime.main"     // in every program: a table without it is not whole
	fnLockOSThread   = "runtime.LockOSThread"
	fnDoLock         = "runtime.dolockOSThread" // the other part of LockOSThread, where it is not inlined
	fnSysmon         = "runtime.sysmon"
	fnTemplateThread = "runtime.templateThread"
	fnPluginOpen     = "plugin.lastmoduleinit" // runtime/plugin.go: linked in where plugin.Open is called
	abi0             = ".abi0"

	// Only .symtab has these, except for the last two.
	varGomaxprocs = "runtime.gomaxprocs"
	varAllM       = "runtime.allm"
	varM0         = "runtime.m0"
	varSigsetAll  = "runtime.sigset_all"       // os_linux_generic.go: newosproc blocks these around a clone
	varSigsetExit = "runtime.sigsetAllExiting" // signal_unix.go, since Go 1.16: a thread blocks these when it ends
	symText       = "runtime.text"
	symEtext      = "runtime.etext"
)

var (
	goFunctions = []string{fnCrosscall2, fnMain, fnLockOSThread, fnDoLock, fnSysmon, fnTemplateThread, fnPluginOpen,
		fnRecord, fnStopWorld, fnNext}
	asmFunctions = append([]string{fnAsyncPreempt, fnRacecall}, gslot.Functions...)
	variables    = append([]string{varGomaxprocs, varAllM, varM0, varSigsetAll, varSigsetExit, symText, symEtext},
		gslot.Variables...)
)

// lookUp returns the link-time addresses of the symbols that Open needs: from .symtab if the
// program has one, else from pclntab. A name that is absent from the result is absent from the
// program.
func lookUp(img *objfile.Image, s *objfile.Space) (map[string]uint64, error) {
	names := slices.Concat(goFunctions, asmFunctions, variables)
	for _, name := range asmFunctions {
		names = append(names, name+abi0)
	}
	syms, symErr := img.Symbols(names...)
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
func lookUpFuncs(img *objfile.Image, s *objfile.Space) (map[string]uint64, error) {
	entries, err := pclntab.FindEntries(img, s, slices.Concat(goFunctions, asmFunctions)...)
	if err != nil {
		return nil, err
	}
	found := entries.Named
	found[symText], found[symEtext] = entries.Start, entries.End
	return found, nil
}
