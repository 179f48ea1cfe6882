package observe

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// account is the kernel's own account of CPU time at one moment, as top and cgroups have it. It
// begins a thread's run when the scheduler starts to choose the thread; the switch, where pinwatch
// begins it, comes after that: up to some µs on a CPU that was idle (kernel/sched/core.c,
// __schedule).
type account struct {
	process time.Duration // 0 = not known
	sysmon  time.Duration // of the thread tid
	tid     int32         // 0 = not known
}

func readAccount(pid int, sysmonTID int32) (now account) {
	var ts unix.Timespec
	// The clock of a process by its number: CPUCLOCK_SCHED of include/linux/posix-timers.h.
	if unix.ClockGettime(int32(^pid<<3|2), &ts) != nil {
		return account{}
	}
	now.process = time.Duration(ts.Nano())
	if sysmonTID != 0 {
		if ns, ok := procfs.Thread(pid, sysmonTID).OnCPU(); ok {
			now.sysmon, now.tid = ns, sysmonTID
		}
	}
	return now
}

// CPU is the kernel's account of a window; a field is nil where it is not known.
type CPU struct {
	Process, Sysmon *time.Duration
}

// accountBetween is the account of the time between two moments.
func accountBetween(first, last account) (c CPU) {
	if first.process == 0 || last.process == 0 {
		return CPU{}
	}
	process := last.process - first.process
	c.Process = &process
	if last.tid != 0 && last.tid == first.tid {
		sysmon := last.sysmon - first.sysmon
		c.Sysmon = &sysmon
	}
	return c
}
