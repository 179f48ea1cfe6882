package main

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

// task is what the kernel says of one thread through /proc/PID/task/TID. Nil = not to be had.
type task struct {
	tid   int32 // in pinwatch's PID namespace
	own   int32 // in the target's; 0 = not known
	name  string
	state string
	wchan *string
	cpu   *int
	schedule
	used *float64 // seconds
	age  *float64 // seconds
}

// tasks reads every thread of the process. Those that end meanwhile are left out. nested: the process is in another PID
// namespace than pinwatch, so its threads have ids of their own. The error says that there is no such process any more.
func tasks(pid int, nested bool) ([]task, error) {
	tids, err := threadIDs(pid)
	if err != nil {
		return nil, err
	}
	now := sinceBoot()
	list := make([]task, 0, len(tids))
	for _, tid := range tids {
		t := task{tid: tid, own: tid}
		if !t.read(pid, now) {
			continue
		}
		if nested {
			t.own = innermostTID(pid, t.tid)
		}
		list = append(list, t)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("list threads: %w", os.ErrProcessDone)
	}
	return list, nil
}

// threadIDs lists the threads of the process, in pinwatch's PID namespace.
func threadIDs(pid int) ([]int32, error) {
	entries, err := os.ReadDir(taskPath(pid))
	if err != nil {
		return nil, fmt.Errorf("list threads: %w", err)
	}
	tids := make([]int32, 0, len(entries))
	for _, e := range entries {
		tid, err := strconv.ParseInt(e.Name(), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("list threads: %w", err)
		}
		tids = append(tids, int32(tid))
	}
	return tids, nil
}

func taskPath(pid int) string { return fmt.Sprintf("/proc/%d/task", pid) }

// taskFile reads a file of a thread; "" when it can't be.
func taskFile(pid int, tid int32, name string) string {
	b, err := os.ReadFile(fmt.Sprintf("%s/%d/%s", taskPath(pid), tid, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// read fills in the task; false when the thread has ended.
func (t *task) read(pid int, now time.Duration) bool {
	s, ok := parseTaskStat(taskFile(pid, t.tid, "stat"))
	if !ok {
		return false
	}
	t.name, t.state, t.cpu, t.used, t.age = s.name, s.state, s.number(39), s.used(), s.age(now)
	t.schedule = s.schedule(t.tid)
	if t.state != "R" {
		if wchan := taskFile(pid, t.tid, "wchan"); wchan != "" && wchan != "0" { // "0" also where we may not know
			t.wchan = &wchan
		}
	}
	return true
}

// innermostTID is the thread's id in its own PID namespace; 0 = not known.
func innermostTID(pid int, tid int32) int32 {
	ids := nsIDs(fmt.Sprintf("%s/%d", taskPath(pid), tid))
	if len(ids) == 0 {
		return 0
	}
	own, err := strconv.ParseInt(ids[len(ids)-1], 10, 32)
	if err != nil {
		return 0
	}
	return int32(own)
}

// nsIDs are the ids of a process or thread, a directory of /proc, in the PID namespaces it is in, from pinwatch's inwards.
func nsIDs(dir string) []string {
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(status), "\nNSpid:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Fields(line)
}

// taskStat is a line of /proc/PID/task/TID/stat, proc_pid_stat(5).
type taskStat struct {
	name, state string
	fields      []string // from the state, field 3, on
}

// parseTaskStat splits a line. The name stands in parentheses and may hold anything.
func parseTaskStat(line string) (taskStat, bool) {
	begin, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if begin < 0 || end < begin {
		return taskStat{}, false
	}
	s := taskStat{name: line[begin+1 : end], fields: strings.Fields(line[end+1:])}
	if len(s.fields) < 41-3+1 { // up to the policy, which every kernel since 2.5.19 has
		return taskStat{}, false
	}
	s.state = s.fields[0]
	return s, true
}

// number is a field by its number in proc_pid_stat(5).
func (s taskStat) number(field int) *int {
	n, err := strconv.Atoi(s.fields[field-3])
	if err != nil {
		return nil
	}
	return &n
}

// schedule is what the line says of the thread's scheduling, with the CPUs that the kernel lets it run on.
func (s taskStat) schedule(tid int32) schedule {
	sched := schedule{nice: s.number(19), policy: s.policy()}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(int(tid), &set); err == nil {
		list := cpuList(&set)
		sched.affinity, sched.cpus = &list, cpuNumbers(&set)
	}
	return sched
}

// policy is the name of the scheduling policy, or its number.
func (s taskStat) policy() *string {
	n := s.number(41)
	if n == nil {
		return nil
	}
	name, ok := policies[*n]
	if !ok {
		name = strconv.Itoa(*n)
	}
	return &name
}

// userHZ is the unit of times in stat: sysconf(_SC_CLK_TCK), which is 100 on amd64 and arm64 whatever the kernel's own.
const userHZ = 100

// used is the CPU time, user and system, in seconds.
func (s taskStat) used() *float64 {
	utime, stime := s.number(14), s.number(15)
	if utime == nil || stime == nil {
		return nil
	}
	v := float64(*utime+*stime) / userHZ
	return &v
}

// age is the time since the thread began, in seconds. now is the time since boot.
func (s taskStat) age(now time.Duration) *float64 {
	begun := s.number(22)
	if begun == nil || now == 0 {
		return nil
	}
	v := max(now.Seconds()-float64(*begun)/userHZ, 0)
	return &v
}

// sinceBoot is the clock that stat counts in; 0 where the kernel has none.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// sleepsAt is where in its program a thread called the system call that it sleeps in; false when it does not sleep in one, or
// when we may not know (/proc/PID/syscall in proc(5)).
func sleepsAt(pid int, tid int32) (pc uint64, ok bool) {
	fields := strings.Fields(taskFile(pid, tid, "syscall"))
	if len(fields) != 9 || fields[0] == "-1" { // number, six arguments, stack pointer, program counter
		return 0, false
	}
	pc, err := strconv.ParseUint(fields[8], 0, 64)
	return pc, err == nil
}

// processOf says which process the id belongs to: pid itself, another whose thread it is, or none.
func processOf(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return 0, fmt.Errorf("process %d: no such process", pid)
	}
	if err != nil {
		return 0, fmt.Errorf("process %d: %w", pid, err)
	}
	_, rest, _ := strings.Cut(string(status), "\nTgid:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("process %d: its status has no Tgid", pid)
	}
	return strconv.Atoi(fields[0])
}
