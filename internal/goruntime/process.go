package goruntime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/objfile"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// A process is a directory of /proc held open: all reads through it are of one process, even if the
// process ends and another one gets its number.
type process struct {
	pid int
	dir *os.File
	// auxv is the auxiliary vector; nil = not read. It changes at an exec only.
	auxv []byte
	// thread is the directory of a thread that lives, where the main thread has ended before the
	// process; else nil. A thread that has ended stays in /proc as a zombie without memory and
	// executable.
	thread *os.File
}

func openProcess(pid int) (*process, error) {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return nil, fmt.Errorf("no process %d: %w", pid, err)
	}
	return &process{pid: pid, dir: dir}, nil
}

// Close closes the directories.
func (p *process) Close() error {
	if p.thread != nil {
		p.thread.Close()
	}
	return p.dir.Close()
}

func (p *process) path(name string) string { return fmt.Sprintf("/proc/%d/%s", p.pid, name) }

// fd returns the directory that shows the memory and the files of the process.
func (p *process) fd() int {
	if p.thread != nil {
		return int(p.thread.Fd())
	}
	return int(p.dir.Fd())
}

// maxThreads is the number of threads that may end, one after the other, during one read.
const maxThreads = 8

// through calls read with the directory of a thread that lives before and after the call. What is
// read of a thread that ends meanwhile may be empty, so the next living one is read.
func (p *process) through(read func(dir int) error) error {
	for i := 1; ; i++ {
		err := read(p.fd())
		if i == maxThreads || hasMemory(p.fd(), "exe") || !p.nextThread() {
			return err
		}
	}
}

// hasMemory reports whether a thread may have memory. name is its exe, a path from the directory
// dir.
func hasMemory(dir int, name string) bool {
	_, err := unix.Readlinkat(dir, name, make([]byte, 1))
	return !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH)
}

// nextThread makes p.thread a thread that lives. It reports whether there is one.
func (p *process) nextThread() bool {
	const list = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_DIRECTORY
	fd, err := unix.Openat(int(p.dir.Fd()), "task", list, 0)
	if err != nil {
		return false
	}
	tasks := os.NewFile(uintptr(fd), p.path("task"))
	defer tasks.Close()
	for {
		names, err := tasks.Readdirnames(64) // in the order of their beginning: the older, the likelier to stay
		if err != nil {
			return false
		}
		for _, name := range names {
			if !hasMemory(fd, name+"/exe") {
				continue
			}
			if dir, err := unix.Openat(fd, name, list, 0); err == nil {
				if p.thread != nil {
					p.thread.Close()
				}
				p.thread = os.NewFile(uintptr(dir), p.path("task/"+name))
				return true
			}
		}
	}
}

// open opens a file of the process for reading. O_NONBLOCK: a path under root may be a pipe by now.
func (p *process) open(name string) (*os.File, error) {
	fd := -1
	err := p.through(func(dir int) (err error) {
		if fd >= 0 {
			unix.Close(fd) // of a thread that has ended since
		}
		fd, err = unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		return err
	})
	if err != nil {
		return nil, p.explain(name, err)
	}
	return os.NewFile(uintptr(fd), p.path(name)), nil
}

// read returns the contents of a small file that the kernel generates.
func (p *process) read(name string) (b []byte, err error) {
	err = p.through(func(dir int) error {
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), p.path(name))
		defer f.Close()
		b, err = io.ReadAll(io.LimitReader(f, 64<<10))
		return err
	})
	if err != nil {
		return nil, p.explain(name, err)
	}
	return b, nil
}

// exeLink returns the target of /proc/PID/exe, with the kernel's " (deleted)".
func (p *process) exeLink() (string, error) {
	buf := make([]byte, unix.PathMax)
	n := 0
	err := p.through(func(dir int) (err error) {
		n, err = unix.Readlinkat(dir, "exe", buf)
		return err
	})
	if err == nil {
		return string(buf[:n]), nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return "", p.explain("exe", err)
	}
	// A kernel thread, or a process that has ended, has no executable.
	stat, err := p.read("stat")
	if err != nil {
		return "", err
	}
	parsed, err := procfs.ParseStat(string(stat))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", p.path("stat"), err)
	}
	if parsed.Flags&procfs.KernelThread != 0 {
		return "", fmt.Errorf("process %d: %w", p.pid, objfile.NotGo("it is a kernel thread"))
	}
	return "", fmt.Errorf("process %d has ended (state %c): %w", p.pid, parsed.State, os.ErrProcessDone)
}

// explain returns the kernel's error for a file of the process with its meaning.
func (p *process) explain(name string, err error) error {
	switch {
	case errors.Is(err, unix.ESRCH):
		return fmt.Errorf("process %d has ended: %w", p.pid, os.ErrProcessDone)
	case errors.Is(err, fs.ErrNotExist):
		// The file alone may be missing. The directory is missing only if the process has ended.
		if unix.Faccessat(int(p.dir.Fd()), "stat", unix.F_OK, 0) != nil {
			return fmt.Errorf("process %d has ended: %w", p.pid, os.ErrProcessDone)
		}
	case errors.Is(err, fs.ErrPermission):
		return &PermissionError{Path: p.path(name), Capability: p.capability(name), Err: err}
	}
	return fmt.Errorf("read %s: %w", p.path(name), err)
}

// capability returns the capability that opens a file of the process. The kernel checks two things:
// the right to trace the process (fs/proc/base.c, ptrace_may_access) and the mode of the file.
func (p *process) capability(name string) string {
	if _, err := unix.Readlinkat(p.fd(), "exe", make([]byte, 1)); err != nil {
		return "CAP_SYS_PTRACE"
	}
	if name == "exe" {
		return "CAP_DAC_READ_SEARCH" // the process may be traced, so the mode of the executable refuses
	}
	var st unix.Stat_t
	err := unix.Fstatat(p.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && int(st.Uid) != unix.Geteuid() {
		return "CAP_DAC_READ_SEARCH" // only their owner may read auxv and mem
	}
	return "CAP_SYS_PTRACE" // memory needs the right to attach, which is stricter than that to read (Yama's ptrace_scope)
}

// execTime bounds the wait for a process that is just executing a program. The kernel gives it the
// new program's name first, then its memory, and its auxiliary vector last (fs/binfmt_elf.c).
const execTime = time.Second

// entry returns AT_ENTRY, the run-time address of the program's first instruction, not of its
// interpreter's.
func (p *process) entry() (uint64, error) {
	const atEntry = 9 // include/uapi/linux/auxvec.h
	for deadline := time.Now().Add(execTime); ; time.Sleep(time.Millisecond) {
		auxv, err := p.auxv, error(nil)
		if auxv == nil {
			auxv, err = p.read("auxv")
		}
		if err != nil {
			return 0, err
		}
		for ; len(auxv) >= 16; auxv = auxv[16:] {
			if binary.LittleEndian.Uint64(auxv) == atEntry {
				return binary.LittleEndian.Uint64(auxv[8:]), nil
			}
		}
		p.auxv = nil
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("read %s: no AT_ENTRY", p.path("auxv"))
		}
	}
}
