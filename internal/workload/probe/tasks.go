// Package probe reads what a workload can read of its own threads and goroutines, and changes the
// state of threads: ids, names, CPU sets, clocks, /proc, the runtime's counters.
//
// It keeps to Go 1.13, as all that is compiled into a workload.
package probe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// TaskIDs lists the threads of this process, in the order of the kernel's list.
func TaskIDs() ([]int, error) {
	dir, err := os.Open("/proc/self/task")
	if err != nil {
		return nil, fmt.Errorf("list threads: %v", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list threads: %v", err)
	}
	ids := make([]int, 0, len(names))
	for _, name := range names {
		id, err := strconv.Atoi(name)
		if err != nil {
			return nil, fmt.Errorf("list threads: %v", err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// TaskAlive reports whether this process still has the thread. It reads /proc and does not call
// tgkill: an observer would count that call.
func TaskAlive(tid int) bool {
	_, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid))
	return err == nil
}

// TaskState is the kernel's letter for the state of a thread of this process: R, S, D, …
// (Documentation/filesystems/proc.rst).
func TaskState(tid int) (byte, error) {
	f, err := os.Open("/proc/self/task/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read a thread's state: %v", err)
	}
	defer f.Close()
	var buf [128]byte // the state is the third field
	n, err := f.Read(buf[:])
	if err != nil {
		return 0, fmt.Errorf("read a thread's state: %v", err)
	}
	stat := buf[:n]
	after := bytes.LastIndexByte(stat, ')') // the end of the name, which may hold any character
	if after < 0 || after+2 >= len(stat) {
		return 0, errors.New("read a thread's state: no such field")
	}
	return stat[after+2], nil
}

// AwaitGone waits until the threads have left the process or limit is over. For each thread it
// returns when the thread was last seen and when it was first missed, 0 = never.
func AwaitGone(tids []int, limit time.Duration) (seen, missed []int64) {
	seen, missed = make([]int64, len(tids)), make([]int64, len(tids))
	for end, left := Now()+int64(limit), len(tids); left > 0 && Now() < end; time.Sleep(200 * time.Microsecond) {
		for i, tid := range tids {
			if missed[i] != 0 {
				continue
			}
			if before := Now(); TaskAlive(tid) {
				seen[i] = before
			} else {
				missed[i] = Now()
				left--
			}
		}
	}
	return seen, missed
}
