package procfs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// UserHZ is the number of clock ticks in a second of the times in /proc: sysconf(_SC_CLK_TCK), 100
// on amd64 and arm64 whatever the kernel's HZ.
const UserHZ = 100

// Stat is /proc/PID/stat, or that of a thread.
type Stat struct {
	Name         string
	State        byte
	Parent       int           // process
	Flags        uint64        // PF_ flags of include/linux/sched.h
	CPU          int           // the thread runs there, or ran there last
	Used         time.Duration // CPU time, user and system
	ChildrenUsed time.Duration // the same of the children that have ended and were waited for
	Start        time.Duration // since boot; see SinceBoot
	Nice         int
	Policy       int // SCHED_ number of include/uapi/linux/sched.h
}

// Flags of include/linux/sched.h.
const (
	KernelThread = 0x00200000 // PF_KTHREAD
	IOWorker     = 0x00000010 // PF_IO_WORKER: a thread of the process that io_uring made
)

// Stat reads the stat of the process or thread.
func (d Dir) Stat() (Stat, error) {
	text, err := d.read("stat")
	if err != nil {
		return Stat{}, err
	}
	s, err := ParseStat(text)
	if err != nil {
		return s, fmt.Errorf("read %s/stat: %w", d, err)
	}
	return s, nil
}

// ThreadStates returns the states of the process's first threads that have not ended, of so many at
// most. It does not read the process's own stat: the kernel adds up all threads for that.
func (d Dir) ThreadStates(most int) (states []byte) {
	for _, tid := range d.FirstThreads(most) {
		stat, err := Dir(fmt.Sprintf("%s/task/%d", d, tid)).Stat()
		if err == nil && stat.State != 'Z' && stat.State != 'X' {
			states = append(states, stat.State)
		}
	}
	return states
}

// ParseStat parses the line of a stat. The name, in parentheses, may hold any byte.
func ParseStat(line string) (Stat, error) {
	begin, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if begin < 0 || end < begin {
		return Stat{}, errStat
	}
	// The numbers in proc_pid_stat(5) count from 1. Field 3, the state, follows the name.
	const state, parent, flags, utime, stime, nice, start, cpu, policy = 3, 4, 9, 14, 15, 19, 22, 39, 41
	const cutime, cstime = 16, 17
	fields := strings.Fields(line[end+1:])
	if len(fields) <= policy-state || len(fields[0]) != 1 {
		return Stat{}, errStat
	}
	var failed error
	number := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-state], 10, 64)
		failed = errors.Join(failed, err)
		return n
	}
	ticks := func(n int64) time.Duration { return time.Duration(n) * (time.Second / UserHZ) }
	s := Stat{
		Name: line[begin+1 : end], State: fields[0][0], Parent: int(number(parent)), Flags: uint64(number(flags)),
		CPU:  int(number(cpu)),
		Used: ticks(number(utime) + number(stime)), ChildrenUsed: ticks(number(cutime) + number(cstime)),
		Start: ticks(number(start)), Nice: int(number(nice)), Policy: int(number(policy)),
	}
	if failed != nil {
		return Stat{}, failed
	}
	return s, nil
}

var errStat = errors.New("not the format of proc_pid_stat(5)")
