package observe

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// account is the kernel's own account of CPU time at one moment, as top and cgroups have it. It
// begins a thread's run when the scheduler starts to choose the thread; the switch, where pinwatch
// begins it, comes after that: up to some µs on a CPU that was idle (kernel/sched/core.c,
// __schedule).
type account struct {
	process time.Duration
	sysmon  time.Duration // of the thread sysmonTID
	tid     int32         // 0 = sysmon is not known
}

// accounts are those of the boundaries that a window to come may need.
type accounts struct {
	first events.Time // the begin of the whole observation
	at    map[events.Time]account
}

// read notes the account now, for a boundary.
func (a *accounts) read(at events.Time, pid int, sysmonTID int32) {
	var now account
	var ts unix.Timespec
	// The clock of a process by its number: CPUCLOCK_SCHED of include/linux/posix-timers.h.
	if unix.ClockGettime(int32(^pid<<3|2), &ts) != nil {
		return
	}
	now.process = time.Duration(ts.Nano())
	if sysmonTID != 0 {
		if ns, ok := procfs.Thread(pid, sysmonTID).OnCPU(); ok {
			now.sysmon, now.tid = ns, sysmonTID
		}
	}
	if a.at == nil {
		a.first, a.at = at, map[events.Time]account{}
	}
	a.at[at] = now
}

// CPU is the kernel's account of a window; a field is nil where it is not known.
type CPU struct {
	Process, Sysmon *time.Duration
}

// of returns the account of a window, and forgets what no later one needs.
func (a *accounts) of(r *correlate.Result) (c CPU) {
	begin, known := a.at[r.Start]
	end, ended := a.at[r.End]
	if known && ended {
		process := end.process - begin.process
		c.Process = &process
		if end.tid != 0 && end.tid == begin.tid {
			sysmon := end.sysmon - begin.sysmon
			c.Sysmon = &sysmon
		}
	}
	if r.Interval && r.Start != a.first {
		delete(a.at, r.Start)
	}
	return c
}
