// Package procfs reads from /proc the state of processes and threads, as proc(5) describes it. The
// parsers are pure. A file is read up to a limit, because a target decides how long some of them
// are.
package procfs

import (
	"errors"
	"fmt"
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
	// Not by os.File, which makes twice as many system calls: the lists of 10,000 threads take 40,000
	// of these files.
	path := string(d) + "/" + name
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var piece [2 << 10]byte
	var text []byte
	for len(text) < maxFile {
		n, err := unix.Read(fd, piece[:min(len(piece), maxFile-len(text))])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read %s: %w", path, err)
		}
		if n == 0 {
			break
		}
		text = append(text, piece[:n]...)
	}
	return string(text), nil
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

// FirstThreads lists some threads of a process, so many at most: a process may have 100,000.
func (d Dir) FirstThreads(most int) (tids []int32) {
	task, err := os.Open(string(d) + "/task")
	if err != nil {
		return nil
	}
	defer task.Close()
	names, _ := task.Readdirnames(most) // fewer: there are no more
	for _, name := range names {
		if tid, err := strconv.ParseInt(name, 10, 32); err == nil {
			tids = append(tids, int32(tid))
		}
	}
	return tids
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

// Namespaces maps the types of the namespaces that the process or thread is in to their names:
// "net" to "net:[4026531840]". Types that the kernel does not have are missing.
func (d Dir) Namespaces() (map[string]string, error) {
	entries, err := os.ReadDir(string(d) + "/ns")
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	namespaces := make(map[string]string, len(entries))
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_for_children") { // of children to come, not the thread's own
			continue
		}
		name, err := os.Readlink(string(d) + "/ns/" + e.Name())
		if err != nil {
			return nil, err
		}
		namespaces[e.Name()] = name
	}
	return namespaces, nil
}

// NoName is the path of a program whose file was mounted alone and is mounted nowhere any more, as runc does to its
// own (d_path in fs/d_path.c; libcontainer/nsenter/cloned_binary.c in runc).
const NoName = "/"

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

// Auxv returns the auxiliary vector of the program that a process runs; "" = it can't be read. Where
// the kernel gives programs random addresses, it is another one after each exec (create_elf_tables in
// fs/binfmt_elf.c).
func (d Dir) Auxv() string {
	text, _ := os.ReadFile(string(d) + "/auxv")
	return string(text)
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

// OnCPU returns the time that the thread has run, by the scheduler's account: the first field of
// schedstat. A thread that runs now may have up to a tick more.
func (d Dir) OnCPU() (time.Duration, bool) {
	text, err := d.read("schedstat")
	first, _, _ := strings.Cut(text, " ")
	ns, parseErr := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns), err == nil && parseErr == nil
}

// Env returns a variable of the environment that the process was started with; "" where there is none,
// or it can't be read.
func (d Dir) Env(name string) string {
	text, _ := d.read("environ")
	for line := range strings.SplitSeq(text, "\x00") {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	return ""
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
