// Package goruntime reads a process's Go runtime from outside: which release built it and how, where its functions are,
// what its memory says. It reads /proc/PID/exe, auxv, maps and mem, never writes and never stops the process.
//
// The target is not trusted. Headers are bounded, tables are read through small windows with a budget, every offset is
// checked, and what cannot be known is left zero with a reason in Info.Unknown: nothing is guessed.
package goruntime

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"
)

// Info is what is known about the Go program in a process. Fields that could not be read are zero, and Unknown says why.
type Info struct {
	Exe     string // path of the executable, in the mount namespace of the process
	Deleted bool   // the file of that name is gone or another one; Exe has no " (deleted)" at its end
	Module  string // the file with the Go runtime: Exe, or the c-shared library a C program has loaded

	GoVersion string // as in runtime.Version: "go1.26.8"
	Path      string // path of the main package; "" when the build info does not tell
	Arch      string // "amd64" or "arm64"
	BuildMode string // as in go build -buildmode: "exe", "pie", "c-shared"; "" before Go 1.18

	CGO      bool // runtime/cgo is linked in: threads are made by pthread_create. CGO_ENABLED=1 alone does not make it so
	Race     bool // built with -race
	PIE      bool // Module is position independent
	Static   bool // Module names no dynamic loader
	Stripped bool // Module has no .symtab

	GOMAXPROCS   int    // at the time of Read, from runtime.gomaxprocs in memory
	LoadBias     uint64 // run-time minus link-time addresses of Module; 0 is right for programs that are not PIE
	AsyncPreempt uint64 // run-time address of runtime.asyncPreempt, what a preempted goroutine resumes at

	Offsets     *Offsets // nil when they are not known
	OffsetsFrom string   // "dwarf", "table", "file" (the user's), "none"
	// OffsetsProved says that the offsets are those of this very release: its own DWARF or that of a toolchain says so. Else what is read
	// with them is believed only where it could not be so by chance.
	OffsetsProved bool
	GSlot         *GSlot // nil when it is not known

	// Run-time addresses; 0 = not known.
	LockOSThread       uint64 // the function runtime.LockOSThread
	Sysmon             uint64 // runtime.sysmon
	TemplateThread     uint64 // runtime.templateThread
	AllM               uint64 // the variable runtime.allm; only programs with .symtab tell
	M0                 uint64 // the variable runtime.m0; the same
	TextStart, TextEnd uint64 // the Go code: runtime.text to runtime.etext

	// SignalMasks are the runtime's own that block SIGURG: variables that never change. Only programs with .symtab tell.
	SignalMasks []SignalMask

	Unknown map[string]error // by field name of Info: why it is zero though the program may have a value
}

// SignalMask is a set of signals in the program's memory.
type SignalMask struct {
	Addr uint64 // run-time address
	Set  uint64 // bit n-1 = signal n
}

// describe fills in what the Go object tells.
func (r *Runtime) describe(o Options) error {
	info, img := &r.Info, r.obj.img
	switch img.machine {
	case elf.EM_X86_64:
		info.Arch = "amd64"
	case elf.EM_AARCH64:
		info.Arch = "arm64"
	default:
		return notGo("its architecture %s is not supported", img.machine)
	}
	info.PIE, info.Static, info.Stripped = img.typ == elf.ET_DYN, !img.has(elf.PT_INTERP), img.symtab() == nil

	s := fileSpace(img)
	if mem, err := r.space(); err == nil && info.PIE {
		s = mem
	}
	version, build, err := readBuildInfo(img, s)
	if err != nil {
		return err
	}
	info.GoVersion, info.Path, info.BuildMode = version, build.Path, setting(build, "-buildmode")

	addrs, err := lookUp(img, s)
	if err != nil {
		info.unknown(errors.Join(err, r.memErr), "CGO", "Race", "AsyncPreempt", "GSlot", "LockOSThread", "Sysmon", "TemplateThread",
			"AllM", "M0", "TextStart", "TextEnd")
	}
	_, info.CGO = addrs[fnCrosscall2]
	_, info.Race = addrs[fnRacecall]
	if setting(build, "-race") == "true" {
		info.Race = true
	}
	if info.Race || len(build.Settings) > 0 { // settings that do not name -race say as much as those that do
		delete(info.Unknown, "Race")
	}
	if err == nil {
		r.place(addrs)
		if info.GSlot, err = r.gSlot(addrs); err != nil {
			info.unknown(err, "GSlot")
		}
	}
	info.SignalMasks = r.signalMasks(addrs[varSigsetAll], addrs[varSigsetExit])
	if info.GOMAXPROCS, err = r.gomaxprocs(addrs[varGomaxprocs]); err != nil {
		info.unknown(err, "GOMAXPROCS")
	}
	return r.readOffsets(o)
}

// place fills in the run-time addresses of functions and variables that stand at the link-time addresses addrs.
func (r *Runtime) place(addrs map[string]uint64) {
	info := &r.Info
	const absentPreempt = "the program has no function " + fnAsyncPreempt + ", which came with Go 1.14"
	for _, sym := range []struct {
		to          *uint64
		field, name string
		code        bool
		absent      string // why the program is without it; "" where it is no wonder
	}{
		{&info.AsyncPreempt, "AsyncPreempt", fnAsyncPreempt, true, absentPreempt},
		{&info.LockOSThread, "LockOSThread", fnLockOSThread, true, ""}, // linked in where it is called
		{&info.Sysmon, "Sysmon", fnSysmon, true, "the program has no function " + fnSysmon},
		{&info.TemplateThread, "TemplateThread", fnTemplateThread, true, "the program has no function " + fnTemplateThread},
		{&info.TextStart, "TextStart", symText, true, "the program does not tell where its code starts"},
		{&info.TextEnd, "TextEnd", symEtext, false, "the program does not tell where its code ends"},
		{&info.AllM, "AllM", varAllM, false, "the program has no symbol " + varAllM},
		{&info.M0, "M0", varM0, false, "the program has no symbol " + varM0},
	} {
		addr, ok := addrs[sym.name]
		switch {
		case !ok && sym.absent == "":
		case !ok:
			info.unknown(errors.New(sym.absent), sym.field)
		case sym.code && !r.obj.img.executable(addr):
			info.unknown(fmt.Errorf("%s at %#x is not in an executable segment", sym.name, addr), sym.field)
		case r.placed != nil:
			info.unknown(r.placed, sym.field)
		default:
			*sym.to = addr + r.obj.bias
		}
	}
}

// gSlot finds the TLS slot of g.
func (r *Runtime) gSlot(addrs map[string]uint64) (*GSlot, error) {
	got := func(addr uint64) (int64, error) {
		s, err := r.space()
		if err != nil {
			return 0, err
		}
		word, err := s.word(addr)
		return int64(word), err
	}
	slots := &slotReader{img: r.obj.img, addrs: addrs, code: fileSpace(r.obj.img), got: got, main: r.Module == r.Exe}
	return slots.find(r.CGO)
}

// gomaxprocs reads runtime.gomaxprocs, an int32 at the link-time address addr.
func (r *Runtime) gomaxprocs(addr uint64) (int, error) {
	if addr == 0 {
		return 0, fmt.Errorf("the program has no symbol %s", varGomaxprocs)
	}
	s, err := r.space()
	if err != nil {
		return 0, err
	}
	var buf [4]byte
	if err := s.read(buf[:], addr); err != nil {
		return 0, err
	}
	const limit = 1 << 20 // far above the CPUs of any machine
	n := int32(binary.LittleEndian.Uint32(buf[:]))
	if n < 1 || n > limit {
		return 0, fmt.Errorf("%s is %d", varGomaxprocs, n)
	}
	return int(n), nil
}

// signalMasks reads the sets at these link-time addresses. A program that has just begun may not have filled in one of them.
func (r *Runtime) signalMasks(addrs ...uint64) []SignalMask {
	s, err := r.space()
	if err != nil || r.placed != nil {
		return nil
	}
	var masks []SignalMask
	for _, addr := range addrs {
		if addr == 0 {
			continue
		}
		if set, err := s.word(addr); err == nil && set>>(syscall.SIGURG-1)&1 == 1 {
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

// setting returns a build setting, "" when it was not recorded.
func setting(build *debug.BuildInfo, key string) string {
	for _, s := range build.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
