package procfs

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
)

// TaskLimit limits a number of tasks, which are threads of any process.
type TaskLimit struct {
	Name     string
	Max, Now uint64
}

// TaskLimits returns what limits the number of tasks around a process: the pids controller of its
// cgroup and of those above it, its RLIMIT_NPROC, and the machine. Limits that can't be read, and
// those that are "max" or do not hold for the process, are left out.
func TaskLimits(pid int) (limits []TaskLimit) {
	for _, dir := range pidsCgroups(Process(pid)) {
		most, ok := readNumber(dir + "/pids.max")
		now, known := readNumber(dir + "/pids.current")
		if ok && known {
			limits = append(limits, TaskLimit{"pids.max of " + dir, most, now})
		}
	}
	if most, uid, ok := userLimit(Process(pid)); ok {
		limits = append(limits, TaskLimit{fmt.Sprintf("ulimit -u of user %d", uid), most, userTasks(uid)})
	}
	if now, ok := machineTasks(); ok {
		for _, name := range []string{"threads-max", "pid_max"} {
			if most, ok := readNumber("/proc/sys/kernel/" + name); ok {
				limits = append(limits, TaskLimit{"kernel." + name, most, now})
			}
		}
	}
	return limits
}

// userLimit returns the soft RLIMIT_NPROC of a process, which limits the tasks of its real user id
// where it has neither of two capabilities (copy_process in kernel/fork.c).
func userLimit(process Dir) (most uint64, uid int, ok bool) {
	const capSysAdmin, capSysResource = 1 << 21, 1 << 24
	status, err := process.Status()
	if err != nil || status.UID <= 0 || status.Effective == nil || *status.Effective&(capSysAdmin|capSysResource) != 0 {
		return 0, 0, false
	}
	text, err := process.read("limits")
	if err != nil {
		return 0, 0, false
	}
	most, ok = maxProcesses(text)
	return most, status.UID, ok
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
func userTasks(uid int) (n uint64) {
	for _, pid := range Processes() {
		if s, err := Process(pid).Status(); err == nil && s.UID == uid {
			n += uint64(s.Threads)
		}
	}
	return n
}

// pidsCgroups returns the directories of the process's cgroup with the pids controller and of all
// above it. Their files are missing where the controller is not enabled.
func pidsCgroups(process Dir) (dirs []string) {
	text, err := process.read("cgroup")
	if err != nil {
		return nil
	}
	root, in := pidsCgroup(text)
	if in == "" {
		return nil
	}
	for ; in != "/"; in = path.Dir(in) {
		dirs = append(dirs, root+in)
	}
	return append(dirs, root)
}

// pidsCgroup returns where the hierarchy with the pids controller is mounted, and the process's
// cgroup in it, from /proc/PID/cgroup: "ID:CONTROLLERS:PATH" in lines, no controllers for version 2.
func pidsCgroup(text string) (root, in string) {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(fields) != 3 || !strings.HasPrefix(fields[2], "/"):
		case strings.HasPrefix(fields[2], "/.."): // outside the cgroup namespace of this process
		case fields[1] == "pids":
			return "/sys/fs/cgroup/pids", path.Clean(fields[2])
		case fields[1] == "":
			root, in = "/sys/fs/cgroup", path.Clean(fields[2])
		}
	}
	return root, in
}

// machineTasks returns the number of tasks of the machine: the fourth field of /proc/loadavg is
// RUNNABLE/ALL.
func machineTasks() (uint64, bool) {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 4 {
		return 0, false
	}
	_, all, _ := strings.Cut(fields[3], "/")
	n, err := strconv.ParseUint(all, 10, 64)
	return n, err == nil
}

func readNumber(file string) (uint64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
