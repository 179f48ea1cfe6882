package goruntime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// A process is a directory of /proc held open: whatever is read through it is of one process, even if that process ends
// and another one gets its number.
type process struct {
	pid int
	dir *os.File
}

func openProcess(pid int) (*process, error) {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return nil, fmt.Errorf("no process %d: %w", pid, err)
	}
	return &process{pid: pid, dir: dir}, nil
}

func (p *process) close() { p.dir.Close() }

func (p *process) path(name string) string { return fmt.Sprintf("/proc/%d/%s", p.pid, name) }

// open opens a file of the process for reading. O_NONBLOCK: a path under root may have become a pipe.
func (p *process) open(name string) (*os.File, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, p.explain(name, err)
	}
	return os.NewFile(uintptr(fd), p.path(name)), nil
}

// read returns a file of the process, which the kernel makes up and which is small.
func (p *process) read(name string) ([]byte, error) {
	f, err := p.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, p.explain(name, err)
	}
	return b, nil
}

// exeLink returns what /proc/PID/exe points to, with the kernel's " (deleted)" as it stands.
func (p *process) exeLink() (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(p.dir.Fd()), "exe", buf)
	if err == nil {
		return string(buf[:n]), nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return "", p.explain("exe", err)
	}
	// No executable: a kernel thread, or a process that has ended.
	stat, err := p.read("stat")
	if err != nil {
		return "", err
	}
	parsed, err := procfs.ParseStat(string(stat))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", p.path("stat"), err)
	}
	if parsed.Flags&procfs.KernelThread != 0 {
		return "", fmt.Errorf("process %d: %w", p.pid, notGo("it is a kernel thread"))
	}
	return "", fmt.Errorf("process %d has ended (state %c): %w", p.pid, parsed.State, os.ErrProcessDone)
}

// explain turns the kernel's answer about a file of the process into what it means.
func (p *process) explain(name string, err error) error {
	switch {
	case errors.Is(err, unix.ESRCH):
		return fmt.Errorf("process %d has ended: %w", p.pid, os.ErrProcessDone)
	case errors.Is(err, fs.ErrNotExist):
		// A file of the process may be missing for reasons of its own, its directory only when the process has ended.
		if unix.Faccessat(int(p.dir.Fd()), "stat", unix.F_OK, 0) != nil {
			return fmt.Errorf("process %d has ended: %w", p.pid, os.ErrProcessDone)
		}
	case errors.Is(err, fs.ErrPermission):
		return &PermissionError{Path: p.path(name), Capability: p.capability(name), Err: err}
	}
	return fmt.Errorf("read %s: %w", p.path(name), err)
}

// capability names what would open a file of the process. Two checks stand before each: the right to trace the process
// (fs/proc/base.c, ptrace_may_access) and the file's own mode bits.
func (p *process) capability(name string) string {
	if _, err := unix.Readlinkat(int(p.dir.Fd()), "exe", make([]byte, 1)); err != nil {
		return "CAP_SYS_PTRACE"
	}
	if name == "exe" {
		return "CAP_DAC_READ_SEARCH" // it may be traced, so the mode of the executable is what refuses
	}
	var st unix.Stat_t
	if err := unix.Fstatat(int(p.dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil && int(st.Uid) != unix.Geteuid() {
		return "CAP_DAC_READ_SEARCH" // auxv and mem are readable by their owner only
	}
	return "CAP_SYS_PTRACE" // attaching, which memory needs, is stricter than reading (Yama's ptrace_scope)
}

// entry returns AT_ENTRY, the run-time address of the first instruction: that of the program, also when it has an interpreter.
func (p *process) entry() (uint64, error) {
	auxv, err := p.read("auxv")
	if err != nil {
		return 0, err
	}
	const atEntry = 9 // include/uapi/linux/auxvec.h
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.LittleEndian.Uint64(auxv) == atEntry {
			return binary.LittleEndian.Uint64(auxv[8:]), nil
		}
	}
	return 0, fmt.Errorf("read %s: no AT_ENTRY", p.path("auxv"))
}
