// Package goruntime reads a process's Go runtime from outside: which release built it and how, where its functions are,
// what its memory says. It reads /proc/PID/exe, auxv, maps and mem, never writes and never stops the process.
//
// The target is not trusted. Headers are bounded, tables are read through small windows with a budget, every offset is
// checked, and what cannot be known is left zero with a reason in Info.Unknown: nothing is guessed.
package goruntime

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
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
	GSlot       *GSlot   // nil when it is not known

	// Run-time addresses; 0 = not known.
	LockOSThread       uint64 // the function runtime.LockOSThread
	Sysmon             uint64 // runtime.sysmon
	TemplateThread     uint64 // runtime.templateThread
	AllM               uint64 // the variable runtime.allm; only programs with .symtab or DWARF tell
	M0                 uint64 // the variable runtime.m0; the same
	TextStart, TextEnd uint64 // the Go code: runtime.text to runtime.etext

	Unknown map[string]error // by field name of Info: why it is zero though the program may have a value
}

// Read reads the Go runtime of process pid, a number in pinwatch's PID namespace. Errors satisfy errors.Is with ErrNotGo; with
// fs.ErrPermission, as a PermissionError; with fs.ErrNotExist when there is no such process and os.ErrProcessDone when
// it ended meanwhile. Reading memory can be refused where reading the rest is not: that is no error but in Info.Unknown.
func Read(pid int) (*Info, error) {
	const attempts = 3 // a process may execute another program while it is read, which is rarely done twice
	for i := 1; ; i++ {
		info, err := read(pid)
		if i == attempts || !errors.Is(err, errExec) {
			return info, err
		}
	}
}

var errExec = errors.New("the process executed another program meanwhile")

func read(pid int) (*Info, error) {
	p, err := openProcess(pid)
	if err != nil {
		return nil, err
	}
	defer p.close()
	link, err := p.exeLink()
	if err != nil {
		return nil, err
	}
	exe, err := p.open("exe")
	if err != nil {
		return nil, err
	}
	defer exe.Close()

	info := &Info{Exe: link, Unknown: make(map[string]error)}
	if path, ok := strings.CutSuffix(link, " (deleted)"); ok && !p.same(filepath.Join("root", link), exe) {
		info.Exe, info.Deleted = path, true
	}
	err = info.fill(p, exe)
	if !p.same("exe", exe) {
		// What was read may be of two programs, or of a process that ended on the way.
		if _, gone := p.exeLink(); gone != nil {
			return nil, gone
		}
		return nil, fmt.Errorf("process %d: %w", pid, errExec)
	}
	if err != nil {
		return nil, fmt.Errorf("process %d (%q): %w", pid, info.Exe, err)
	}
	return info, nil
}

// same reports whether the name, in the directory of the process, is the open file.
func (p *process) same(name string, file *os.File) bool {
	var a, b unix.Stat_t
	return unix.Fstatat(int(p.dir.Fd()), name, &a, 0) == nil && unix.Fstat(int(file.Fd()), &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// fill reads the program, or the library of it, that has the Go runtime.
func (info *Info) fill(p *process, exe *os.File) error {
	img, err := fileImage(exe)
	if err != nil {
		return fmt.Errorf("read executable: %w", err)
	}
	obj := &object{path: info.Exe, file: exe, img: img}
	if _, err := findBuildInfo(img); errors.Is(err, ErrNotGo) {
		if obj, err = p.goObject(); err != nil {
			return err
		}
		defer obj.file.Close()
	} else if err != nil {
		return err
	} else if obj.bias, err = p.bias(img); err != nil {
		info.unknown(err, "LoadBias")
	}
	info.Module, info.LoadBias = obj.path, obj.bias
	return info.describe(p, obj)
}

// bias returns the load bias of the program img that p runs.
func (p *process) bias(img *image) (uint64, error) {
	entry, err := p.entry()
	if img.typ == elf.ET_EXEC && errors.Is(err, fs.ErrPermission) {
		return 0, nil // such a program runs where it was linked or not at all
	}
	if err != nil {
		return 0, err
	}
	bias := entry - img.entry
	if bias%4096 != 0 || img.typ == elf.ET_EXEC && bias != 0 {
		return 0, fmt.Errorf("the program was started at %#x, its file says %#x", entry, img.entry)
	}
	return bias, nil
}

// describe fills in what the Go object tells.
func (info *Info) describe(p *process, obj *object) error {
	img := obj.img
	switch img.machine {
	case elf.EM_X86_64:
		info.Arch = "amd64"
	case elf.EM_AARCH64:
		info.Arch = "arm64"
	default:
		return notGo("its architecture %s is not supported", img.machine)
	}
	info.PIE, info.Static, info.Stripped = img.typ == elf.ET_DYN, !img.has(elf.PT_INTERP), img.symtab() == nil

	placed := info.Unknown["LoadBias"] // nil: run-time addresses can be told
	s := fileSpace(img)
	mem, memErr := p.open("mem")
	if memErr == nil {
		defer mem.Close()
		if info.PIE && placed == nil {
			s = memorySpace(mem, obj.bias)
		}
	}
	version, build, err := readBuildInfo(img, s)
	if err != nil {
		return err
	}
	info.GoVersion, info.Path, info.BuildMode = version, build.Path, setting(build, "-buildmode")

	addrs, err := lookUp(img, s)
	if err != nil {
		info.unknown(errors.Join(err, memErr), "CGO", "Race", "AsyncPreempt")
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
		if info.AsyncPreempt, err = asyncPreempt(addrs[fnAsyncPreempt], img, obj.bias, placed); err != nil {
			info.unknown(err, "AsyncPreempt")
		}
	}
	if info.GOMAXPROCS, err = gomaxprocs(addrs[varGomaxprocs], obj.bias, mem, cmp.Or(placed, memErr)); err != nil {
		info.unknown(err, "GOMAXPROCS")
	}
	return nil
}

// asyncPreempt returns the run-time address of the function at the link-time address addr. unplaced says why the bias is not known.
func asyncPreempt(addr uint64, img *image, bias uint64, unplaced error) (uint64, error) {
	switch {
	case addr == 0:
		return 0, fmt.Errorf("the program has no function %s, which came with Go 1.14", fnAsyncPreempt)
	case !img.executable(addr):
		return 0, fmt.Errorf("%s at %#x is not in an executable segment", fnAsyncPreempt, addr)
	case unplaced != nil:
		return 0, unplaced
	}
	return addr + bias, nil
}

// gomaxprocs reads runtime.gomaxprocs, an int32 at the link-time address addr. refused says why memory can't be read.
func gomaxprocs(addr, bias uint64, mem io.ReaderAt, refused error) (int, error) {
	if addr == 0 {
		return 0, fmt.Errorf("the program has no symbol %s", varGomaxprocs)
	}
	if refused != nil {
		return 0, refused
	}
	var buf [4]byte
	if err := memorySpace(mem, bias).read(buf[:], addr); err != nil {
		return 0, err
	}
	const limit = 1 << 20 // far above the CPUs of any machine
	n := int32(binary.LittleEndian.Uint32(buf[:]))
	if n < 1 || n > limit {
		return 0, fmt.Errorf("%s is %d", varGomaxprocs, n)
	}
	return int(n), nil
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
