package workload

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Bracketed has a look taken between two equal lists of threads, so that what it counts was there all the while. A list that is nil, and one
// that differs from the one before, make the look void; then it is taken again after a pause, at most tries times in all. false = all were void.
func Bracketed(tries int, pause time.Duration, list func() ([]int, error), look func() error) (bool, error) {
	for i := 0; i < tries; i++ {
		if i > 0 {
			time.Sleep(pause)
		}
		before, err := list()
		if err != nil {
			return false, err
		}
		if before == nil {
			continue
		}
		if err := look(); err != nil {
			return false, err
		}
		after, err := list()
		if err != nil {
			return false, err
		}
		if after != nil && equal(before, after) {
			return true, nil
		}
	}
	return false, nil
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// sleepers lists the threads of this process but the calling one; nil = one of them does not sleep. The runtime counts a thread before clone(2)
// makes it and forgets it before exit(2) ends it: while all others sleep, none is on the way.
func sleepers() ([]int, error) {
	own := syscall.Gettid()
	all, err := taskIDs()
	if err != nil {
		return nil, err
	}
	others := []int{}
	for _, tid := range all {
		if tid == own {
			continue
		}
		if state, err := taskState(tid); err != nil || state != 'S' { // an error: it has ended
			return nil, nil
		}
		others = append(others, tid)
	}
	if syscall.Gettid() != own {
		return nil, nil
	}
	return others, nil
}

// runDelay is how long a thread of this process has waited for a CPU, in ns; -1 = this kernel does not say (CONFIG_SCHED_INFO).
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

// delayMeter measures how long the goroutine waits for a CPU, as long as it stays on its thread.
type delayMeter struct {
	tid  int
	from int64
}

func newDelayMeter() delayMeter {
	tid := syscall.Gettid()
	return delayMeter{tid, runDelay(tid)}
}

// waited is the wait since, in ns; -1 = unknown.
func (m delayMeter) waited() int64 {
	now := runDelay(m.tid)
	if m.from < 0 || now < m.from || syscall.Gettid() != m.tid {
		return -1
	}
	return now - m.from
}
