package goruntime

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/goruntime/internal/pclntab"
)

// Options set the source of offsets and of the release.
type Options struct {
	Offsets string // file with a table of offsets, instead of DWARF and the built-in table; "" for none. See offsets.Table
	NoDWARF bool   // do not read DWARF, as if the program had none
	// GoVersion is the release of a program that does not name it, as "go1.26.8"; "" = not known.
	GoVersion string
	// NotBegun: the process has run no instruction of the program when Open is called, or few, so nothing
	// may be relocated in its memory yet. What a relocation sets is computed from the file. It is no error
	// if the process ends while the file is read.
	NotBegun bool
	// Files keeps what is read of executables; nil = nothing is kept.
	Files *Files
}

// A Runtime is the Go runtime of a process, held open: later reads are of the process and the
// program that Info describes, even if the process ends or the file is replaced. Close it.
type Runtime struct {
	Info

	process *process
	exe     *os.File // what the process executed
	obj     *object  // the file with the Go runtime, open
	biasErr error    // the reason if obj.bias is not known
	plugins plugins

	fresh  *objfile.Space // Options.NotBegun: the program after relocation
	mem    io.ReaderAt    // the process's memory by run-time address; nil if the kernel refuses it
	memErr error          // the reason
	procs  uint64         // link-time address of runtime.gomaxprocs; 0 = not known
	// Link-time address of the account of stops of the world, or why it is not known.
	stopping    uint64
	stoppingErr error
	files       []io.Closer
}

// Open reads the Go runtime of process pid, a number in pinwatch's PID namespace. Errors satisfy
// errors.Is with ErrNotGo or Err32Bit; with ErrHidden if the process holds a Go program that is
// packed or obfuscated beyond reading; with fs.ErrPermission, as a PermissionError; with
// fs.ErrNotExist if there is no such process, and os.ErrProcessDone if it ended meanwhile. A
// TableError is an error in the file o.Offsets, and a ReleaseError one in o.GoVersion. Where the
// kernel refuses only the memory, Open succeeds and Info.Unknown holds the reason.
func Open(pid int, o Options) (*Runtime, error) {
	const attempts = 3 // a process may execute another program while it is read, rarely twice
	for i := 1; ; i++ {
		h, err := Hold(pid)
		if err != nil {
			return nil, err
		}
		r, err := h.Open(o)
		if i == attempts || !errors.Is(err, errExec) {
			return r, err
		}
	}
}

// Held is a process whose program can be read though it ends: what Open needs of the process is open or
// read. Open or Close must be called.
type Held struct {
	r    *Runtime
	link string // to the executable, with the kernel's " (deleted)"
}

// Hold takes hold of process pid, in some 50 µs. Errors are as those of Open.
func Hold(pid int) (_ *Held, err error) {
	p, err := openProcess(pid)
	if err != nil {
		return nil, err
	}
	r := &Runtime{process: p, files: []io.Closer{p}}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	link, err := p.exeLink()
	if err != nil {
		return nil, err
	}
	if r.exe, err = p.open("exe"); err != nil {
		return nil, err
	}
	r.files = append(r.files, r.exe)
	if r.mem, r.memErr = p.open("mem"); r.memErr != nil {
		r.mem = nil
	} else {
		r.files = append(r.files, r.mem.(io.Closer))
	}
	if p.auxv, err = p.read("auxv"); err != nil { // entry reads it again, or says why it can't
		p.auxv = nil
	}
	return &Held{r, link}, nil
}

// Exe is the path of the executable, as Info.Exe.
func (h *Held) Exe() string { return strings.TrimSuffix(h.link, " (deleted)") }

// Close lets go of the process.
func (h *Held) Close() { h.r.Close() }

// Open is the function Open for the process.
func (h *Held) Open(o Options) (_ *Runtime, err error) {
	r, p := h.r, h.r.process
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	r.Info = Info{Exe: h.link, Unknown: make(map[string]error)}
	if path, ok := strings.CutSuffix(h.link, " (deleted)"); ok && !p.isFile(filepath.Join("root", h.link), r.exe) {
		r.Exe, r.Deleted = path, true
	}
	err = r.fill(o)
	changed := r.unchanged()
	if err == nil && o.NotBegun && errors.Is(changed, os.ErrProcessDone) {
		return r, nil // what was needed of the process was read before the file
	}
	if changed != nil && !(o.NotBegun && errors.Is(err, ErrNotGo)) {
		return nil, changed // the reads may be of two programs, or of a process that ended between them
	}
	if err != nil {
		return nil, fmt.Errorf("process %d (%q): %w", p.pid, r.Exe, err)
	}
	return r, nil
}

// Close closes the files that Open opened. Info stays valid.
func (r *Runtime) Close() {
	for _, f := range r.files {
		f.Close()
	}
	r.files, r.mem, r.memErr = nil, nil, fs.ErrClosed
}

var errExec = errors.New("the process executed another program meanwhile")

// unchanged returns nil while the process lives and runs the program that was opened.
func (r *Runtime) unchanged() error {
	if r.process.isFile("exe", r.exe) {
		return nil
	}
	if _, err := r.process.exeLink(); err != nil {
		return err
	}
	return fmt.Errorf("process %d: %w", r.process.pid, errExec)
}

// isFile reports whether name, in the directory of the process, is the open file.
func (p *process) isFile(name string, file *os.File) bool {
	var a, b unix.Stat_t
	err := p.through(func(dir int) error { return unix.Fstatat(dir, name, &a, 0) })
	if err != nil || unix.Fstat(int(file.Fd()), &b) != nil {
		return false
	}
	return a.Dev == b.Dev && a.Ino == b.Ino
}

// fill finds the file with the Go runtime, the program or a library of it, and reads it.
func (r *Runtime) fill(o Options) error {
	img, err := objfile.ReadFile(r.exe)
	if err != nil {
		return fmt.Errorf("read executable: %w", err)
	}
	if r.obj, err = r.findObject(img, o); err != nil {
		return err
	}
	r.Module, r.LoadBias = r.obj.path, r.obj.bias
	if o.NotBegun {
		if r.fresh, err = r.obj.img.Relocated(); err != nil {
			return err
		}
	}
	return r.describe(o)
}

// findObject returns the Go program in the process: the executable, whose image is img, a library,
// or what lies only in memory.
func (r *Runtime) findObject(img *objfile.Image, o Options) (obj *object, err error) {
	if err = isGo(img); err == nil {
		obj = &object{path: r.Exe, file: r.exe, img: img}
		if obj.bias, r.biasErr = r.process.bias(img); r.biasErr != nil {
			r.unknown(r.biasErr, "LoadBias")
		}
		return obj, nil
	}
	if !errors.Is(err, ErrNotGo) || o.NotBegun { // else a library may have been loaded, or a program unpacked
		return nil, err
	}
	obj, notGo := r.process.goObject()
	if notGo == nil {
		r.files = append(r.files, obj.file)
		return obj, nil
	}
	if !errors.Is(notGo, ErrNotGo) {
		return nil, notGo
	}
	if obj, err = r.memoryObject(img.Machine); obj == nil && err == nil {
		err = notGo
	}
	return obj, err
}

// isGo returns nil for a Go program. The error wraps ErrNotGo if it is certain that img is none.
func isGo(img *objfile.Image) error {
	_, err := objfile.FindBuildInfo(img)
	if errors.Is(err, ErrNotGo) && pclntab.Present(img) {
		return nil
	}
	return err
}

// relocated returns what the dynamic loader leaves unchanged once it has relocated the Go module, by
// link-time address.
func (r *Runtime) relocated() (*objfile.Space, error) {
	if r.fresh != nil {
		return r.fresh, nil
	}
	return r.space()
}

// space returns the process's memory, by link-time address of the Go module.
func (r *Runtime) space() (*objfile.Space, error) {
	if r.biasErr != nil {
		return nil, r.biasErr
	}
	if r.memErr != nil {
		return nil, r.memErr
	}
	return objfile.MemorySpace(r.mem, r.obj.bias), nil
}

// bias returns the load bias of img, the program that p runs.
func (p *process) bias(img *objfile.Image) (uint64, error) {
	entry, err := p.entry()
	if img.Type == elf.ET_EXEC && errors.Is(err, fs.ErrPermission) {
		return 0, nil // such a program runs only at its link-time addresses
	}
	if err != nil {
		return 0, err
	}
	bias := entry - img.Entry
	if bias%4096 != 0 || img.Type == elf.ET_EXEC && bias != 0 {
		return 0, fmt.Errorf("the program was started at %#x, the entry in its file is %#x", entry, img.Entry)
	}
	return bias, nil
}
