// Package procfs reads from /proc the state of processes and threads, as proc(5) describes it. The
// parsers are pure. A file is read up to a limit, because a target decides how long some of them
// are.
package procfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxFile is the number of bytes read of a file. The longest one is a status with 65,536 groups.
const maxFile = 1 << 20

// Dir is the directory of a process or of a thread in /proc.
type Dir string

// The directories of this process and of the calling thread.
const (
	Self       Dir = "/proc/self"
	SelfThread Dir = "/proc/thread-self"
)

// Processes lists the processes of the PID namespace that /proc shows.
func Processes() (pids []int) {
	entries, _ := os.ReadDir("/proc") // nil where /proc is not mounted
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Process returns the directory of a process. pid is its number in the PID namespace that /proc
// shows.
func Process(pid int) Dir { return Dir("/proc/" + strconv.Itoa(pid)) }

// Thread returns the directory of a thread of a process.
func Thread(pid int, tid int32) Dir { return Dir(fmt.Sprintf("/proc/%d/task/%d", pid, tid)) }

// read returns the beginning of a file in the directory.
func (d Dir) read(name string) (string, error) {
	f, err := os.Open(string(d) + "/" + name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return string(b), nil
}

// Threads lists the threads of a process by their numbers in the PID namespace that /proc shows.
func (d Dir) Threads() ([]int32, error) {
	entries, err := os.ReadDir(string(d) + "/task")
	if err != nil {
		return nil, fmt.Errorf("list threads: %w", err)
	}
	tids := make([]int32, len(entries))
	for i, e := range entries {
		tid, err := strconv.ParseInt(e.Name(), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("list threads: %w", err)
		}
		tids[i] = int32(tid)
	}
	return tids, nil
}

// Files maps the file descriptors of the process to what they refer to: a path, or a name such as
// anon_inode:[perf_event]; "" for a descriptor that was closed meanwhile, as that of the listing.
func (d Dir) Files() (map[int]string, error) {
	entries, err := os.ReadDir(string(d) + "/fd")
	if err != nil {
		return nil, fmt.Errorf("list file descriptors: %w", err)
	}
	files := make(map[int]string, len(entries))
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, fmt.Errorf("list file descriptors: %w", err)
		}
		files[fd], _ = os.Readlink(string(d) + "/fd/" + e.Name())
	}
	return files, nil
}

// Exe returns the path of the program that the process runs. Where the main thread has ended, it is
// known through the threads that live.
func (d Dir) Exe() (string, error) {
	exe, err := os.Readlink(string(d) + "/exe")
	if !errors.Is(err, fs.ErrNotExist) {
		return exe, err
	}
	tids, _ := d.Threads() // none: the process has ended
	for _, tid := range tids {
		if exe, err := os.Readlink(fmt.Sprintf("%s/task/%d/exe", d, tid)); err == nil {
			return exe, nil
		}
	}
	return "", err
}

// WChan returns the kernel function in which the thread sleeps; "" when it does not sleep, and
// where the kernel does not permit the reader to know.
func (d Dir) WChan() string {
	wchan, err := d.read("wchan")
	if err != nil || wchan == "0" {
		return ""
	}
	return strings.TrimSpace(wchan)
}

// Syscall is a system call that a thread sleeps in.
type Syscall struct {
	Number int
	PC     uint64 // the instruction after the call
}

// Syscall returns the system call that the thread sleeps in. It returns false when the thread
// sleeps in none, and where the kernel does not permit the reader to know.
func (d Dir) Syscall() (Syscall, bool) {
	text, err := d.read("syscall")
	if err != nil {
		return Syscall{}, false
	}
	return parseSyscall(text)
}

// parseSyscall parses /proc/PID/syscall: number, six arguments, stack pointer, program counter.
func parseSyscall(text string) (Syscall, bool) {
	fields := strings.Fields(text)
	if len(fields) != 9 {
		return Syscall{}, false
	}
	number, numberErr := strconv.Atoi(fields[0])
	pc, pcErr := strconv.ParseUint(fields[8], 0, 64)
	if numberErr != nil || pcErr != nil || number < 0 { // -1: the thread sleeps outside a system call
		return Syscall{}, false
	}
	return Syscall{number, pc}, true
}

// ShowsOurNamespace reports whether /proc shows the PID namespace of this process.
func ShowsOurNamespace() bool {
	self, err := os.Readlink(string(Self))
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// Leader returns the process that pid belongs to: pid itself, or the process whose thread it is.
func Leader(pid int) (int, error) {
	status, err := Process(pid).Status()
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return 0, fmt.Errorf("process %d: no such process", pid)
	case err != nil:
		return 0, fmt.Errorf("process %d: %w", pid, err)
	case status.TGID == 0:
		return 0, fmt.Errorf("process %d: its status has no Tgid", pid)
	}
	return status.TGID, nil
}

// SinceBoot returns the clock of Stat.Start; 0 where the kernel has none.
func SinceBoot() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
