package procfs

import (
	"fmt"
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
// controller of its cgroup and of those above it, its RLIMIT_NPROC, and the machine. Limits that can't
// be read, and those that are "max" or do not hold for the process, are left out. root is normally
// os.DirFS("/").
func TaskLimits(root fs.FS, process string) (limits []TaskLimit) {
	for _, dir := range Cgroups(root, process, "pids") {
		most, ok := readNumber(root, path.Join(dir, "pids.max"))
		now, known := readNumber(root, path.Join(dir, "pids.current"))
		if ok && known {
			limits = append(limits, TaskLimit{"pids.max of /" + dir, most, now})
		}
	}
	if most, uid, ok := userLimit(root, process); ok {
		limits = append(limits, TaskLimit{fmt.Sprintf("ulimit -u of user %d", uid), most, userTasks(root, uid)})
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

// userLimit returns the soft RLIMIT_NPROC of a process, which limits the tasks of its real user id
// where it has neither of two capabilities (copy_process in kernel/fork.c).
func userLimit(root fs.FS, process string) (most uint64, uid int, ok bool) {
	const capSysAdmin, capSysResource = 1 << 21, 1 << 24
	status, err := readStatus(root, process)
	if err != nil || status.UID <= 0 || status.Effective == nil || *status.Effective&(capSysAdmin|capSysResource) != 0 {
		return 0, 0, false
	}
	text, _ := fs.ReadFile(root, "proc/"+process+"/limits") // "" has no line
	most, ok = maxProcesses(string(text))
	return most, status.UID, ok
}

func readStatus(root fs.FS, process string) (Status, error) {
	text, err := fs.ReadFile(root, "proc/"+process+"/status")
	if err != nil {
		return Status{}, err
	}
	return ParseStatus(string(text))
}

// maxProcesses returns the soft limit of /proc/PID/limits in the line "Max processes".
func maxProcesses(text string) (uint64, bool) {
	for line := range strings.Lines(text) {
		if values, ok := strings.CutPrefix(line, "Max processes"); ok {
			if words := strings.Fields(values); len(words) > 0 {
				n, err := strconv.ParseUint(words[0], 10, 64) // or "unlimited"
				return n, err == nil
			}
		}
	}
	return 0, false
}

// userTasks counts the threads of all processes with a real user id.
func userTasks(root fs.FS, uid int) (n uint64) {
	entries, _ := fs.ReadDir(root, "proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if s, err := readStatus(root, e.Name()); err == nil && s.UID == uid {
			n += uint64(s.Threads)
		}
	}
	return n
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
