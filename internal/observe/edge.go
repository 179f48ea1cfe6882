package observe

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

// An edge is an end of a window, with what is read of the target there and nowhere else.
type edge struct {
	account   account
	quotas    []procfs.Quota
	quotasErr error
	cpuset    string          // the CPUs that the target's cpuset allows; "" = not known
	affinity  map[int32][]int // where a window begins; by tid, of the first mostAttributes threads
	machine   procfs.Machine
	clocks    clocks
	// The runtime's account of its stops of the world, or why it is not known.
	stopping    *goruntime.Stopping
	stoppingErr error
}

func (o *observation) readEdge(begins bool) edge {
	e := edge{clocks: readClocks()}
	e.stopping, e.stoppingErr = o.program.stopping()
	process, root := strconv.Itoa(o.target.PID), os.DirFS("/")
	e.machine, _ = procfs.ReadMachine() // zero: no difference is known
	if !procfs.ShowsOurNamespace() {    // the PID means another process to the kernel
		e.quotasErr = fs.ErrPermission
		return e
	}
	e.account = readAccount(o.target.PID, o.program.sysmonTID) // first: it counts on while the others are read
	e.quotas, e.quotasErr = procfs.ReadQuotas(root, process)
	e.cpuset = procfs.CPUSet(root, process)
	if !begins {
		return e
	}
	e.affinity = map[int32][]int{}
	for _, tid := range procfs.Process(o.target.PID).FirstThreads(mostAttributes) {
		if cpus, err := procfs.Affinity(tid); err == nil {
			e.affinity[tid] = cpus
		}
	}
	return e
}

// unreadEdge is one at which the process could not be read.
func unreadEdge(why error) edge {
	return edge{clocks: readClocks(), quotasErr: why, stoppingErr: why}
}

// QuotaUse is what became of the tightest quota that held for the target in a window.
type QuotaUse struct {
	procfs.Quota     // its counters are those of the window
	Groups       int // cgroups above each other with a quota, this one included
}

// Pauses are the times in which the target was kept from running by something else than other load.
// nil = not known.
type Pauses struct {
	Quota     *QuotaUse // nil: there is none, or:
	QuotaErr  error     // why it is not known
	Suspended time.Duration
	Stolen    *time.Duration // CPU time of this machine that its hypervisor gave to others
}

// between returns what happened between two edges.
func between(first, last edge) (p Pauses) {
	p.Suspended = max(0, last.clocks.boot-first.clocks.boot)
	if p.Suspended < clockMoved {
		p.Suspended = 0
	}
	if first.machine.Busy > 0 && last.machine.Busy > 0 {
		stolen := last.machine.Stolen - first.machine.Stolen
		p.Stolen = &stolen
	}
	p.Quota, p.QuotaErr = quotaUse(first, last)
	return p
}

// errMoved: counters of two cgroups have no difference.
var errMoved = errors.New("the process was moved to another cgroup, or its quota was set, in this window")

func quotaUse(first, last edge) (*QuotaUse, error) {
	for _, e := range []edge{first, last} {
		if e.quotasErr != nil {
			return nil, e.quotasErr
		}
	}
	var tightest *QuotaUse
	for _, q := range last.quotas {
		for _, before := range first.quotas {
			if before.Group != q.Group {
				continue
			}
			if q.Periods < before.Periods || q.Throttled < before.Throttled || q.Time < before.Time {
				return nil, errMoved // another group of the same name
			}
			if tightest == nil || q.CPUs() < tightest.CPUs() {
				use := &QuotaUse{Quota: q, Groups: len(last.quotas)}
				use.Periods, use.Throttled, use.Time = q.Periods-before.Periods, q.Throttled-before.Throttled,
					q.Time-before.Time
				tightest = use
			}
		}
	}
	if tightest == nil && len(last.quotas) > 0 {
		return nil, errMoved
	}
	return tightest, nil
}

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

// stopsBetween is the runtime's account of the time between two moments.
func stopsBetween(first, last edge) ([]goruntime.Stops, error) {
	if err := cmp.Or(first.stoppingErr, last.stoppingErr); err != nil {
		return nil, err
	}
	if first.stopping == nil || last.stopping == nil || first.stopping == last.stopping {
		return nil, errors.New("it was not read at both ends of the window")
	}
	return last.stopping.Since(first.stopping, correlate.StopDelayed)
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
