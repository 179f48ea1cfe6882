package measure

import (
	"fmt"
	"os"
	"path/filepath"
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
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, fmt.Errorf("count file descriptors: %w", err)
	}
	return len(entries), nil
}

// Hooks is how many perf events and BPF programs and links a process holds; 0 also when it has
// ended.
func Hooks(pid int) int {
	return PerfEvents(pid) + files(pid, func(to string) bool { return strings.HasPrefix(to, "anon_inode:bpf") })
}

// PerfEvents is how many perf events a process holds; 0 also when it has ended.
func PerfEvents(pid int) int {
	return files(pid, func(to string) bool { return to == "anon_inode:[perf_event]" })
}

// files counts the open files of a process by what they are open on.
func files(pid int, are func(to string) bool) (n int) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // the pattern is well-formed
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && are(to) {
			n++
		}
	}
	return n
}
