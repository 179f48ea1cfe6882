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
)

// Options are how Open finds out what it can't read off the process.
type Options struct {
	Offsets string // file with a table of offsets, instead of DWARF and the table that is built in; "" for none. See Table
	NoDWARF bool   // do not read DWARF, as if the program had none
}

// A Runtime is the Go runtime of a process, held open: what is read through it later is of the process and the program
// that Info describes, even if the process ends or the file is replaced. Close it.
type Runtime struct {
	Info

	process *process
	exe     *os.File // what the process executed
	obj     *object  // the file with the Go runtime, open
	placed  error    // nil: obj.bias is known

	mem    io.ReaderAt // the process's memory by run-time address; nil when it is refused
	memErr error       // why
	files  []io.Closer
}

// Open reads the Go runtime of process pid, a number in pinwatch's PID namespace. Errors satisfy errors.Is with ErrNotGo; with
// fs.ErrPermission, as a PermissionError; with fs.ErrNotExist when there is no such process and os.ErrProcessDone when
// it ended meanwhile. A TableError tells what is wrong with o.Offsets. Reading memory can be refused where reading the
// rest is not: that is no error but in Info.Unknown.
func Open(pid int, o Options) (*Runtime, error) {
	const attempts = 3 // a process may execute another program while it is read, which is rarely done twice
	for i := 1; ; i++ {
		r, err := open(pid, o)
		if i == attempts || !errors.Is(err, errExec) {
			return r, err
		}
	}
}

// Read is Open for those who want Info alone.
func Read(pid int) (*Info, error) {
	r, err := Open(pid, Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return &r.Info, nil
}

// Close closes the files that Open opened. Info stays valid.
func (r *Runtime) Close() {
	for _, f := range r.files {
		f.Close()
	}
	r.files, r.mem, r.memErr = nil, nil, fs.ErrClosed
}

var errExec = errors.New("the process executed another program meanwhile")

func open(pid int, o Options) (_ *Runtime, err error) {
	p, err := openProcess(pid)
	if err != nil {
		return nil, err
	}
	r := &Runtime{process: p, files: []io.Closer{p.dir}}
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
	r.Info = Info{Exe: link, Unknown: make(map[string]error)}
	if path, ok := strings.CutSuffix(link, " (deleted)"); ok && !p.same(filepath.Join("root", link), r.exe) {
		r.Exe, r.Deleted = path, true
	}
	err = r.fill(o)
	if changed := r.unchanged(); changed != nil {
		return nil, changed // what was read may be of two programs, or of a process that ended on the way
	}
	if err != nil {
		return nil, fmt.Errorf("process %d (%q): %w", pid, r.Exe, err)
	}
	return r, nil
}

// unchanged returns nil while the process lives and runs the program that was opened.
func (r *Runtime) unchanged() error {
	if r.process.same("exe", r.exe) {
		return nil
	}
	if _, gone := r.process.exeLink(); gone != nil {
		return gone
	}
	return fmt.Errorf("process %d: %w", r.process.pid, errExec)
}

// same reports whether the name, in the directory of the process, is the open file.
func (p *process) same(name string, file *os.File) bool {
	var a, b unix.Stat_t
	if unix.Fstatat(int(p.dir.Fd()), name, &a, 0) != nil || unix.Fstat(int(file.Fd()), &b) != nil {
		return false
	}
	return a.Dev == b.Dev && a.Ino == b.Ino
}

// fill finds the program, or the library of it, that has the Go runtime, and reads it.
func (r *Runtime) fill(o Options) error {
	img, err := fileImage(r.exe)
	if err != nil {
		return fmt.Errorf("read executable: %w", err)
	}
	r.obj = &object{path: r.Exe, file: r.exe, img: img}
	if _, err := findBuildInfo(img); errors.Is(err, ErrNotGo) {
		if r.obj, err = r.process.goObject(); err != nil {
			return err
		}
		r.files = append(r.files, r.obj.file)
	} else if err != nil {
		return err
	} else if r.obj.bias, r.placed = r.process.bias(img); r.placed != nil {
		r.unknown(r.placed, "LoadBias")
	}
	r.Module, r.LoadBias = r.obj.path, r.obj.bias
	if mem, err := r.process.open("mem"); err != nil {
		r.memErr = err
	} else {
		r.mem, r.files = mem, append(r.files, mem)
	}
	return r.describe(o)
}

// space reads the process's memory by link-time address of the Go module. The error says why it can't be read.
func (r *Runtime) space() (*space, error) {
	if r.placed != nil {
		return nil, r.placed
	}
	if r.memErr != nil {
		return nil, r.memErr
	}
	return memorySpace(r.mem, r.obj.bias), nil
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
