package threadlist

import (
	"fmt"
	"os"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// task is the kernel's side of one thread. Nil = not known.
type task struct {
	tid   int32 // in pinwatch's PID namespace
	nsTID int32 // in the target's; 0 = not known
	stat  procfs.Stat
	procfs.Schedule
	age *float64 // seconds
}

// readTasks reads every thread of the process. Threads that end meanwhile are left out. nested: the
// process is in another PID namespace than pinwatch. The error is os.ErrProcessDone when no thread
// is left.
func readTasks(pid int, nested bool) ([]task, error) {
	tids, err := procfs.Process(pid).Threads()
	if err != nil {
		return nil, err
	}
	now := procfs.SinceBoot()
	tasks := make([]task, 0, len(tids))
	for _, tid := range tids {
		dir := procfs.Thread(pid, tid)
		stat, err := dir.Stat()
		if err != nil {
			continue
		}
		t := task{tid: tid, nsTID: tid, stat: stat, Schedule: stat.Schedule(tid)}
		if now != 0 {
			age := max(now-stat.Start, 0).Seconds()
			t.age = &age
		}
		if nested {
			status, err := dir.Status()
			if err != nil {
				status = procfs.Status{}
			}
			t.nsTID = status.NSTID()
		}
		tasks = append(tasks, t)
	}
	if len(tasks) == 0 {
		return nil, fmt.Errorf("list threads: %w", os.ErrProcessDone)
	}
	return tasks, nil
}
