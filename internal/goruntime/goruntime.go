// Package goruntime reads the Go runtime of a process from outside: its release and build, the
// addresses of its functions, its Ms and their locks. It reads /proc/PID/exe, auxv, maps and mem.
// It never writes and never stops the process.
//
// The live side is here: a process held open, and its memory. Below it are packages that need no
// process, only a file or the image of a program in memory: internal/objfile (ELF, symbols, build
// info), internal/pclntab (names of code), internal/gslot (the place of g) and offsets (the fields
// of the runtime's structs, by release).
//
// The target is not trusted. Headers are bounded, tables are read in small pieces with a budget,
// and every offset is checked. A field that cannot be read stays zero, with a reason in
// Info.Unknown: nothing is guessed.
package goruntime

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/gslot"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/pclntab"
)

// Info describes the Go program in a process. Fields that could not be read are zero, with a reason
// in Unknown.
type Info struct {
	Exe     string // path of the executable, in the mount namespace of the process
	Deleted bool   // the file is gone, or the path has another one; Exe has no " (deleted)" at its end
	Module  string // the file with the Go runtime: Exe, or the c-shared library of a C program; "" if InMemory
	// InMemory: the Go program lies only in memory. The executable is packed, or loads the program by
	// itself. PIE, Static and Stripped are not known.
	InMemory bool

	GoVersion string // as in runtime.Version: "go1.26.8"
	// GoVersionGiven: GoVersion is that of the Options. The program does not name its release.
	GoVersionGiven bool
	Path           string // path of the main package; "" if the build info has none
	Arch           string // "amd64" or "arm64"
	BuildMode      string // as in go build -buildmode: "exe", "pie", "c-shared"; "" before Go 1.18

	CGO      bool // runtime/cgo is linked in: pthread_create makes the threads. CGO_ENABLED=1 alone does not link it
	Race     bool // built with -race
	Plugins  bool // the program can load plugins: it calls plugin.Open
	PIE      bool // Module is position independent
	Static   bool // Module names no dynamic loader
	Stripped bool // Module has no .symtab

	GOMAXPROCS   int    // at the time of Open, from runtime.gomaxprocs in memory
	LoadBias     uint64 // run-time minus link-time addresses of Module; 0 is right for programs that are not PIE
	AsyncPreempt uint64 // run-time address of runtime.asyncPreempt, where a preempted goroutine resumes

	Offsets     *Offsets // nil if they are not known
	OffsetsFrom string   // OffsetsDWARF, OffsetsTable, OffsetsFile or OffsetsNone
	// OffsetsProved: the offsets come from DWARF of this release, the program's or a toolchain's. Else
	// the fields read with them are accepted only where they confirm each other.
	OffsetsProved bool
	GSlot         *GSlot // nil if it is not known

	// Run-time addresses; 0 = not known.
	LockOSThread       uint64 // the function runtime.LockOSThread
	Sysmon             uint64 // runtime.sysmon
	TemplateThread     uint64 // runtime.templateThread
	AllM               uint64 // the variable runtime.allm; only .symtab has it
	M0                 uint64 // the variable runtime.m0; only .symtab has it
	TextStart, TextEnd uint64 // the Go code: runtime.text to runtime.etext

	// SignalMasks are the runtime's masks that block SIGURG: variables that never change. Only .symtab
	// has them.
	SignalMasks []SignalMask

	Unknown map[string]error // by field name of Info: the reason why the field could not be read
}

// GSlot is the place where a thread keeps the pointer to the g that runs on it.
type GSlot = gslot.Slot

// SignalMask is a set of signals in the program's memory.
type SignalMask struct {
	Addr uint64 // run-time address
	Set  uint64 // bit n-1 = signal n
}

// describe fills in Info from the Go object.
func (r *Runtime) describe(o Options) error {
	info, img := &r.Info, r.obj.img
	switch img.Machine {
	case elf.EM_X86_64:
		info.Arch = "amd64"
	case elf.EM_AARCH64:
		info.Arch = "arm64"
	default:
		return objfile.NotGo("its architecture %s is not supported", img.Machine)
	}
	if info.InMemory = r.obj.file == nil; info.InMemory {
		info.unknown(errors.New("the program lies only in memory"), "PIE", "Static", "Stripped")
	} else {
		info.PIE, info.Static, info.Stripped = img.Type == elf.ET_DYN, !img.HasSegment(elf.PT_INTERP), img.Symtab() == nil
	}
	s := img.Space()
	if mem, err := r.relocated(); err == nil && info.PIE {
		s = mem
	}
	build, err := r.readRelease(s, o)
	if err != nil {
		return err
	}
	addrs, err := o.Files.lookUp(r.obj, s)
	if hidden := info.Unknown["GoVersion"]; hidden != nil && err != nil {
		return fmt.Errorf("%w; %w; observe a build that is not packed or obfuscated", hidden, err)
	}
	if errors.Is(err, pclntab.ErrUnknown) {
		err = fmt.Errorf("%w, or of a release that pinwatch does not know: %w", ErrHidden, err)
	}
	if err != nil {
		info.unknown(errors.Join(err, r.memErr), "CGO", "Race", "AsyncPreempt", "GSlot", "LockOSThread", "Sysmon",
			"TemplateThread", "AllM", "M0", "TextStart", "TextEnd")
	}
	_, info.CGO = addrs[fnCrosscall2]
	_, info.Race = addrs[fnRacecall]
	_, info.Plugins = addrs[fnPluginOpen]
	if setting(build, "-race") == "true" {
		info.Race = true
	}
	if info.Race || len(build.Settings) > 0 { // settings without -race mean a build without it
		delete(info.Unknown, "Race")
	}
	if err == nil {
		r.place(addrs)
		if info.GSlot, err = r.gSlot(addrs); err != nil {
			info.unknown(err, "GSlot")
		}
	}
	r.stopping, r.stoppingErr = r.findStopping(addrs)
	info.SignalMasks = r.signalMasks(addrs[varSigsetAll], addrs[varSigsetExit])
	r.procs = addrs[varGomaxprocs]
	if info.GOMAXPROCS, err = r.GOMAXPROCSNow(); err != nil {
		info.unknown(err, "GOMAXPROCS")
	}
	return r.readOffsets(o, lockFields(img, addrs))
}

// place fills in the run-time addresses of functions and variables. addrs holds their link-time
// addresses.
func (r *Runtime) place(addrs map[string]uint64) {
	info := &r.Info
	const absentPreempt = "the program has no function " + fnAsyncPreempt + ", which came with Go 1.14"
	for _, sym := range []struct {
		target      *uint64
		field, name string
		code        bool
		absent      string // the reason if the program lacks it; "" if programs need not have it
	}{
		{&info.AsyncPreempt, "AsyncPreempt", fnAsyncPreempt, true, absentPreempt},
		{&info.LockOSThread, "LockOSThread", fnLockOSThread, true, ""}, // linked in where it is called
		{&info.Sysmon, "Sysmon", fnSysmon, true, "the program has no function " + fnSysmon},
		{&info.TemplateThread, "TemplateThread", fnTemplateThread, true, "the program has no function " + fnTemplateThread},
		{&info.TextStart, "TextStart", symText, true, "the program has no symbol " + symText},
		{&info.TextEnd, "TextEnd", symEtext, false, "the program has no symbol " + symEtext},
		{&info.AllM, "AllM", varAllM, false, "the program has no symbol " + varAllM},
		{&info.M0, "M0", varM0, false, "the program has no symbol " + varM0},
	} {
		addr, ok := addrs[sym.name]
		switch {
		case !ok && sym.absent == "":
		case !ok:
			info.unknown(errors.New(sym.absent), sym.field)
		case sym.code && !r.obj.img.Executable(addr):
			info.unknown(fmt.Errorf("%s at %#x is not in an executable segment", sym.name, addr), sym.field)
		case r.biasErr != nil:
			info.unknown(r.biasErr, sym.field)
		default:
			*sym.target = addr + r.obj.bias
		}
	}
}

// gSlot finds the TLS slot of g.
func (r *Runtime) gSlot(addrs map[string]uint64) (*GSlot, error) {
	word := func(addr uint64) (int64, error) {
		s, err := r.relocated()
		if err != nil {
			return 0, err
		}
		w, err := s.Word(addr)
		return int64(w), err
	}
	finder := &gslot.Finder{Image: r.obj.img, Addrs: addrs, GOT: word, Main: r.Module == r.Exe}
	return finder.Find(r.CGO)
}

// GOMAXPROCSNow reads runtime.gomaxprocs, an int32. Since Go 1.25 the runtime changes it by itself.
func (r *Runtime) GOMAXPROCSNow() (int, error) {
	if r.procs == 0 {
		return 0, fmt.Errorf("the program has no symbol %s", varGomaxprocs)
	}
	s, err := r.space()
	if err != nil {
		return 0, err
	}
	var buf [4]byte
	if err := s.Read(buf[:], r.procs); err != nil {
		return 0, err
	}
	const limit = 1 << 20 // far above the CPUs of any machine
	n := int32(binary.LittleEndian.Uint32(buf[:]))
	if n < 1 || n > limit {
		return 0, fmt.Errorf("%s is %d", varGomaxprocs, n)
	}
	return int(n), nil
}

// signalMasks reads the sets at these link-time addresses. A program that has just started may not
// have set them yet.
func (r *Runtime) signalMasks(addrs ...uint64) []SignalMask {
	s, err := r.space()
	if err != nil || r.biasErr != nil {
		return nil
	}
	var masks []SignalMask
	for _, addr := range addrs {
		if addr == 0 {
			continue
		}
		if set, err := s.Word(addr); err == nil && set>>(syscall.SIGURG-1)&1 == 1 {
			masks = append(masks, SignalMask{addr + r.obj.bias, set})
		}
	}
	return masks
}

func (info *Info) unknown(err error, fields ...string) {
	for _, field := range fields {
		info.Unknown[field] = err
	}
}

// setting returns a build setting, or "" if it was not recorded.
func setting(build *debug.BuildInfo, key string) string {
	for _, s := range build.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
