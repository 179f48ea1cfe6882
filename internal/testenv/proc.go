package testenv

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Now is CLOCK_MONOTONIC in nanoseconds, the clock of every time in this package and of
// bpf_ktime_get_ns.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // every kernel has this clock
	}
	return ts.Nano()
}

// Threads lists the live threads of a process, in no order.
func Threads(pid int) ([]int32, error) {
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
