package procfs

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// TaskLimit limits a number of tasks, which are threads of any process.
type TaskLimit struct {
	Name     string
	Max, Now uint64
}

// TaskLimits returns what limits the number of tasks around a process ("self", or its PID): the pids
// controller of its cgroup and of those above it, and the machine. Limits that can't be read, and
// those that are "max", are left out. root is normally os.DirFS("/").
func TaskLimits(root fs.FS, process string) (limits []TaskLimit) {
	for _, dir := range Cgroups(root, process, "pids") {
		most, ok := readNumber(root, path.Join(dir, "pids.max"))
		now, known := readNumber(root, path.Join(dir, "pids.current"))
		if ok && known {
			limits = append(limits, TaskLimit{"pids.max of /" + dir, most, now})
		}
	}
	if now, ok := machineTasks(root); ok {
		for _, name := range []string{"threads-max", "pid_max"} {
			if most, ok := readNumber(root, "proc/sys/kernel/"+name); ok {
				limits = append(limits, TaskLimit{"kernel." + name, most, now})
			}
		}
	}
	return limits
}

// machineTasks returns the number of tasks of the machine: the fourth field of /proc/loadavg is
// RUNNABLE/ALL.
func machineTasks(root fs.FS) (uint64, bool) {
	text, _ := fs.ReadFile(root, "proc/loadavg") // "" has no fields
	fields := strings.Fields(string(text))
	if len(fields) < 4 {
		return 0, false
	}
	_, all, _ := strings.Cut(fields[3], "/")
	n, err := strconv.ParseUint(all, 10, 64)
	return n, err == nil
}

func readNumber(root fs.FS, file string) (uint64, bool) {
	text, _ := fs.ReadFile(root, file) // "" is no number
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
