package main

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Scheduling policies of include/uapi/linux/sched.h.
var policies = map[int]string{0: "SCHED_OTHER", 1: "SCHED_FIFO", 2: "SCHED_RR", 3: "SCHED_BATCH", 5: "SCHED_IDLE", 6: "SCHED_DEADLINE", 7: "SCHED_EXT"}

// schedule is how the kernel schedules one thread; nil what is not to be had, as after its end.
type schedule struct {
	affinity *string // the CPUs it may run on, as the kernel writes them
	cpus     []int   // the same
	nice     *int
	policy   *string
}

// scheduling asks the kernel how it schedules a thread now.
func scheduling(pid int, tid int32) (s schedule) {
	stat, ok := parseTaskStat(taskFile(pid, tid, "stat"))
	if !ok {
		return s
	}
	return stat.schedule(tid)
}

func cpuNumbers(set *unix.CPUSet) (cpus []int) {
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// cpuList writes a set as the kernel does: 0-3,8.
func cpuList(set *unix.CPUSet) string {
	var parts []string
	for cpu := 0; cpu < len(set)*64; cpu++ {
		if !set.IsSet(cpu) {
			continue
		}
		first := cpu
		for set.IsSet(cpu + 1) {
			cpu++
		}
		part := strconv.Itoa(first)
		if cpu > first {
			part += "-" + strconv.Itoa(cpu)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}
