package testenv

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Now is CLOCK_MONOTONIC in nanoseconds, the clock of every time in this package and of bpf_ktime_get_ns.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // the clock is always there
	}
	return ts.Nano()
}

// threads lists the live threads of a process, in no order.
func threads(pid int) ([]int32, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, fmt.Errorf("list threads: %w", err)
	}
	var tids []int32
	for _, e := range entries {
		tid, err := strconv.ParseInt(e.Name(), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("list threads: %w", err)
		}
		tids = append(tids, int32(tid))
	}
	return tids, nil
}

// lastCPU is the CPU that a thread runs on or ran on last.
func lastCPU(pid int, tid int32) (int, error) {
	const processor = 39 // field of /proc/PID/stat, proc_pid_stat(5)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, tid))
	if err != nil {
		return 0, fmt.Errorf("read a thread's CPU: %w", err)
	}
	// Field 2 is the name in parentheses, which may hold anything; field 3 follows the last of them.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= processor-3 {
		return 0, fmt.Errorf("read a thread's CPU: %q is too short", stat)
	}
	return strconv.Atoi(string(fields[processor-3]))
}
