package procfs

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// policies are the scheduling policies of include/uapi/linux/sched.h.
var policies = map[int]string{
	0: "SCHED_OTHER", 1: "SCHED_FIFO", 2: "SCHED_RR", 3: "SCHED_BATCH", 5: "SCHED_IDLE",
	6: "SCHED_DEADLINE", 7: "SCHED_EXT",
}

// PolicyName returns the name of a scheduling policy, or its number where it has no name here.
func PolicyName(policy int) string {
	if name, ok := policies[policy]; ok {
		return name
	}
	return strconv.Itoa(policy)
}

// Schedule is how the kernel schedules a thread. What is not known is nil, as after the thread's
// end.
type Schedule struct {
	CPUs     []int   // the CPUs it may run on
	Affinity *string // the same in the kernel's list format
	Nice     *int
	Policy   *string
}

// ReadSchedule reads how the kernel schedules a thread of a process now.
func ReadSchedule(pid int, tid int32) Schedule {
	stat, err := Thread(pid, tid).Stat()
	if err != nil {
		return Schedule{}
	}
	return stat.Schedule(tid)
}

// Schedule returns the schedule in the stat of thread tid. It asks the kernel for the CPUs.
func (s *Stat) Schedule(tid int32) Schedule {
	policy := PolicyName(s.Policy)
	schedule := Schedule{Nice: &s.Nice, Policy: &policy}
	if cpus, err := Affinity(tid); err == nil {
		list := unit.CPUs(cpus)
		schedule.CPUs, schedule.Affinity = cpus, &list
	}
	return schedule
}

// Affinity returns the CPUs that a thread may run on, ascending.
func Affinity(tid int32) (cpus []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(int(tid), &set); err != nil {
		return nil, err
	}
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
