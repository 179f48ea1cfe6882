package probe

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// runDelay is how long a thread of this process has waited for a CPU, in ns; -1 = the kernel does
// not count it (CONFIG_SCHED_INFO).
func runDelay(tid int) int64 {
	f, err := os.Open("/proc/self/task/" + strconv.Itoa(tid) + "/schedstat")
	if err != nil {
		return -1
	}
	defer f.Close()
	var running, waiting, turns int64 // Documentation/scheduler/sched-stats.rst
	if _, err := fmt.Fscan(f, &running, &waiting, &turns); err != nil {
		return -1
	}
	return waiting
}

// DelayMeter measures how long a goroutine waits for a CPU while it stays on one thread.
type DelayMeter struct {
	TID  int // the thread
	from int64
}

// NewDelayMeter starts a meter of the calling goroutine.
func NewDelayMeter() DelayMeter {
	tid := syscall.Gettid()
	return DelayMeter{tid, runDelay(tid)}
}

// Waited is the wait since the start, in ns; -1 = unknown.
func (m DelayMeter) Waited() int64 {
	now := runDelay(m.TID)
	if m.from < 0 || now < m.from || syscall.Gettid() != m.TID {
		return -1
	}
	return now - m.from
}
