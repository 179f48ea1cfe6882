package measure

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// CPUTime is how long all threads that a process has or had have run, to the nanosecond.
func CPUTime(pid int) (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED, the clock of a process's CPU time: include/linux/posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// RSSAnon is the anonymous memory that a process has in RAM, in bytes.
func RSSAnon(pid int) (uint64, error) {
	status, err := procfs.Process(pid).Status()
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	if status.RSSAnon == nil {
		return 0, fmt.Errorf("read memory: process %d has no RssAnon", pid)
	}
	return *status.RSSAnon, nil
}

// FDs is how many file descriptors a process has.
func FDs(pid int) (int, error) {
	files, err := procfs.Process(pid).Files()
	return len(files), err
}

// Hooks is how many perf events and BPF programs and links a process holds; 0 also when it has
// ended.
func Hooks(pid int) int {
	return PerfEvents(pid) + files(pid, func(file string) bool { return strings.HasPrefix(file, "anon_inode:bpf") })
}

// PerfEvents is how many perf events a process holds; 0 also when it has ended.
func PerfEvents(pid int) int {
	return files(pid, func(file string) bool { return file == "anon_inode:[perf_event]" })
}

// files counts the open files of a process that are of a kind.
func files(pid int, are func(file string) bool) (n int) {
	all, _ := procfs.Process(pid).Files() // none: the process has ended
	for _, file := range all {
		if are(file) {
			n++
		}
	}
	return n
}
