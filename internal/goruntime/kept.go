package goruntime

import (
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
)

// Kept is a Go program as its file describes it, for processes that execute the file and end before
// they can be read. Its addresses are the same in all of them. Close it once none is used any more.
type Kept struct {
	Symbols    *Symbols // nil: functions have no names
	SymbolsErr error    // the reason
	runtime    *Runtime
}

// errRelocated means that a program's addresses differ from process to process.
var errRelocated = errors.New("the program is position independent: its addresses are known of a living process only")

// errNoProcess is why nothing is read of a process by its Kept.
var errNoProcess = fmt.Errorf("it ended before it could be read: %w", os.ErrProcessDone)

// Keep reads the program in a file. path is what Info.Exe will be. The Kept owns the file, unless there
// is an error, which wraps ErrNotGo if it is certain that the file is no Go program.
func Keep(file *os.File, path string, o Options) (*Kept, error) {
	img, err := objfile.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := isGo(img); err != nil {
		return nil, err
	}
	if img.Type != elf.ET_EXEC {
		return nil, errRelocated
	}
	r := &Runtime{Info: Info{Exe: path, Module: path, Unknown: map[string]error{}}, process: &process{}, exe: file,
		obj: &object{path: path, file: file, img: img}, memErr: errNoProcess}
	if r.fresh, err = img.Relocated(); err != nil {
		return nil, err
	}
	if err := r.describe(o); err != nil {
		return nil, err
	}
	k := &Kept{runtime: r}
	k.Symbols, k.SymbolsErr = r.Symbols()
	return k, nil
}

// Executable opens the file that the process executed once more. It belongs to the caller.
func (r *Runtime) Executable() (*os.File, error) {
	fd, err := unix.FcntlInt(r.exe.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s once more: %w", r.Exe, err)
	}
	return os.NewFile(uintptr(fd), r.Exe), nil
}

// Open describes a process that has ended and had executed the file. Nothing can be read of its
// memory. The result is valid until Close of the Kept.
func (k *Kept) Open(pid int) *Runtime {
	r := k.runtime
	opened := &Runtime{Info: r.Info, process: &process{pid: pid}, exe: r.exe, obj: r.obj, fresh: r.fresh, memErr: r.memErr,
		procs: r.procs, stopping: r.stopping, stoppingErr: r.stoppingErr}
	opened.Unknown = maps.Clone(r.Unknown)
	return opened
}

// Close closes the file.
func (k *Kept) Close() error { return k.runtime.exe.Close() }
