package witness

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// lastCPU is the CPU that a thread runs on or ran on last.
func lastCPU(pid int, tid int32) (int, error) {
	const processor = 39 // field of /proc/PID/stat, proc_pid_stat(5)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, tid))
	if err != nil {
		return 0, fmt.Errorf("read a thread's CPU: %w", err)
	}
	// Field 2 is the name in parentheses, which may hold any character. Field 3 follows the last of
	// them.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= processor-3 {
		return 0, fmt.Errorf("read a thread's CPU: %q is too short", stat)
	}
	return strconv.Atoi(string(fields[processor-3]))
}
