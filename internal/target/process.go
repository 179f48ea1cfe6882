package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Process is what /proc alone shows of a process.
type Process struct {
	PID    int     // in the PID namespace that /proc shows: the caller's
	NSPIDs []int32 // its number in each PID namespace, from the caller's inwards; the last is its own view
	Parent int
	UID    int
	Start  time.Duration // since boot, in clock ticks; does not change at an exec

	Comm    string // the main thread's name; the program may change it
	Exe     string // the program's path as the process sees it, or a memfd's name; "" = can't be read
	Deleted bool   // the file of the program has no name any more

	Cgroup     string      // path in the hierarchy of version 2, in systemd's, or in another; "" = none
	Unit       string      // the innermost systemd unit that is no slice and no container's; "" = none
	Containers []Container // that it is in, the outermost first

	groups []procfs.Group
	units  []string // all of them, the outermost first
}

// Name is the base name of the program.
func (p *Process) Name() string { return baseName(p.Exe) }

// Container is the innermost container that the process is in; nil = none.
func (p *Process) Container() *Container {
	if len(p.Containers) == 0 {
		return nil
	}
	return &p.Containers[len(p.Containers)-1]
}

// What can't be observed; in the words of package loader.
var (
	errKernel = errors.New("is a kernel thread")
	errEnded  = errors.New("ended before observation began") // a zombie
)

// Describe reads what /proc shows of a process. Names of containers that are in files elsewhere are the
// Chooser's to find.
func Describe(root fs.FS, pid int) (Process, error) {
	dir, stat, err := living(root, pid)
	if err != nil {
		return Process{PID: pid}, ended(pid, err)
	}
	return describe(root, pid, dir, &stat)
}

// describe is Describe with what living found.
func describe(root fs.FS, pid int, dir string, stat *procfs.Stat) (Process, error) {
	p := Process{PID: pid}
	text, err := read(root, "proc/"+strconv.Itoa(pid)+"/status")
	if err != nil {
		return p, ended(pid, err)
	}
	status, err := procfs.ParseStatus(text)
	switch {
	case err != nil:
		return p, fmt.Errorf("process %d: %w", pid, err)
	case status.TGID != 0 && status.TGID != pid:
		return p, fmt.Errorf("process %d is a thread of process %d: name that", pid, status.TGID)
	}
	p.NSPIDs, p.UID, p.Parent, p.Start, p.Comm = status.NSPID, status.UID, stat.Parent, stat.Start, stat.Name
	p.Exe, p.Deleted = executable(root, dir)
	p.groups = readGroups(root, dir)
	for _, g := range p.groups {
		own := g.Controllers == "" || g.Controllers == "name=systemd"
		if p.Cgroup == "" || p.Cgroup == "/" || own && g.Path != "/" {
			p.Cgroup = g.Path
		}
	}
	p.Containers, p.units = containersOf(p.groups), unitsOf(p.groups)
	for _, unit := range p.units {
		if !strings.HasSuffix(unit, ".slice") && len(Containers(unit)) == 0 {
			p.Unit = unit
		}
	}
	return p, nil
}

// read reads a file in /proc, with fewer system calls than fs.ReadFile: there are thousands of them.
func read(root fs.FS, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text := make([]byte, 0, 2<<10) // a status has about 1,500 bytes
	for {
		text = slices.Grow(text, 1)
		n, err := f.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err == io.EOF || err == nil && len(text) >= maxState {
			return string(text), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// ended names the process in an error of reading its files.
func ended(pid int, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d: no such process", pid)
	}
	if errors.Is(err, errKernel) || errors.Is(err, errEnded) {
		return fmt.Errorf("process %d %w", pid, err)
	}
	return fmt.Errorf("process %d: %w", pid, err)
}

// readStat reads the stat of one thread. That of a process takes the longer the more threads there are: the kernel
// adds up their times (do_task_stat in fs/proc/array.c).
func readStat(root fs.FS, pid, tid int) (procfs.Stat, error) {
	text, err := read(root, fmt.Sprintf("proc/%d/task/%d/stat", pid, tid))
	if err != nil {
		return procfs.Stat{}, err
	}
	return procfs.ParseStat(text)
}

func readGroups(root fs.FS, dir string) []procfs.Group {
	text, _ := read(root, dir+"/cgroup") // "" has no groups
	return procfs.ParseGroups(text)
}

// living reads the stat of a process's main thread, and finds a directory whose exe and cgroup are the process's.
// After the end of the main thread that is another thread's: its own shows no executable then, and with
// version 1 no cgroup (proc_cgroup_show in kernel/cgroup/cgroup.c).
func living(root fs.FS, pid int) (dir string, stat procfs.Stat, err error) {
	dir = "proc/" + strconv.Itoa(pid)
	stat, err = readStat(root, pid, pid)
	switch {
	case err != nil:
		return "", stat, err
	case stat.Flags&procfs.KernelThread != 0:
		return "", stat, errKernel
	case !dead(stat):
		return dir, stat, nil
	}
	entries, _ := fs.ReadDir(root, dir+"/task") // none: it has ended
	for _, e := range entries {
		tid, _ := strconv.Atoi(e.Name()) // each is a number
		if other, err := readStat(root, pid, tid); err == nil && !dead(other) {
			return dir + "/task/" + e.Name(), stat, nil
		}
	}
	return "", stat, errEnded
}

func dead(stat procfs.Stat) bool { return stat.State == 'Z' || stat.State == 'X' }

const (
	deletedSuffix = " (deleted)" // of d_path in fs/d_path.c
	memfdPrefix   = "/memfd:"    // MFD_NAME_PREFIX in mm/memfd.c
)

// executable reads the link to the program of a process.
func executable(root fs.FS, dir string) (exe string, deleted bool) {
	link, err := fs.ReadLink(root, dir+"/exe")
	if err != nil {
		return "", false
	}
	if link == procfs.NoName {
		return "", false
	}
	exe, deleted = strings.CutSuffix(link, deletedSuffix)
	if !deleted {
		return link, false
	}
	if strings.HasPrefix(exe, memfdPrefix) {
		return exe, true
	}
	// A file may be called so.
	is, err := fs.Stat(root, dir+"/exe")
	for _, name := range []string{dir + "/root" + link, link[1:]} {
		if named, statErr := fs.Stat(root, name); err == nil && statErr == nil && os.SameFile(is, named) {
			return link, false
		}
	}
	return exe, true
}

// baseName is the name of a program in a path. That of a memfd is whole: it may hold slashes.
func baseName(exe string) string {
	if name, ok := strings.CutPrefix(exe, memfdPrefix); ok {
		return name
	}
	if exe == "" {
		return ""
	}
	return path.Base(exe)
}
