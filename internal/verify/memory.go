package verify

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// ms reads the Ms of a workload that is at rest from its memory.
func (r *run) ms(p *client.Process) ([]goruntime.M, error) {
	rt, err := goruntime.Open(p.PID, goruntime.Options{})
	if err != nil {
		return nil, unableError("the workload's memory can't be read: " + err.Error())
	}
	defer rt.Close()
	ms, err := rt.Ms()
	if err != nil {
		return nil, unableError("the runtime's list of threads can't be read: " + err.Error())
	}
	return ms, nil
}

// held counts what pins take: the threads of locked goroutines, and those that the runtime has for nothing else.
func held(r *run) error {
	p, err := r.start("leak", "-n", strconv.Itoa(heldPins))
	if err != nil {
		return err
	}
	pause(r, calming)
	ms, err := r.ms(p)
	if err != nil {
		p.Kill()
		return err
	}
	kernel, err := threadsOf(p.PID)
	if err != nil {
		p.Kill()
		return err
	}
	a, err := p.Stop()
	if err != nil {
		return err
	}
	r.Source = "the runtime's memory, /proc, and the workload's own account"
	tids := map[int]bool{}
	for _, pin := range a.Pins {
		tids[pin.TID] = true
	}
	r.add("pinned", int64(len(a.Pins)))
	r.add("distinct_threads", int64(len(tids)))
	if kernel.calm {
		r.add("proc_threads", int64(kernel.status))
		r.add("kernel_threads", int64(kernel.tasks))
	}
	for _, m := range ms {
		switch {
		case m.TID == 0:
		case m.Role == goruntime.RoleTemplate:
			r.add("template_threads", 1)
		case m.Lock == goruntime.LockUser:
			r.add("locked_threads", 1)
		}
	}
	return nil
}

// heldPins is how many goroutines are locked at one time.
const heldPins = 8

// census is the number of threads of a process: by its status, and by its list of tasks.
type census struct {
	status, tasks int
	calm          bool // the list was the same before the status was read and after: the two tell of one moment
}

func threadsOf(pid int) (c census, err error) {
	c.calm, err = probe.Bracketed(50, 10*time.Millisecond, func() ([]int, error) {
		tids, err := tasksOf(pid)
		c.tasks = len(tids)
		return tids, err
	}, func() (err error) {
		c.status, err = statusOf(pid)
		return err
	})
	return c, err
}

// tasksOf lists the threads of a process.
func tasksOf(pid int) ([]int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, fmt.Errorf("list threads: %w", err)
	}
	tids := make([]int, len(entries))
	for i, e := range entries {
		if tids[i], err = strconv.Atoi(e.Name()); err != nil {
			return nil, fmt.Errorf("list threads: %w", err)
		}
	}
	return tids, nil
}

// statusOf is the number on the line Threads: of a process's status.
func statusOf(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("count threads: %w", err)
	}
	_, rest, _ := strings.Cut(string(status), "\nThreads:")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0, fmt.Errorf("count threads: %w", err)
	}
	return n, nil
}

// internal looks at the lock that the runtime itself holds while packages are initialized: the main goroutine is bound to the main
// thread by lockedInt, as a goroutine is to a C thread that calls Go.
func internal(r *run) error {
	const initializing = 6 // processes
	for range initializing {
		p, err := r.startAs(r.lab.Program, []string{workload.InitVariable + "=hold"}, "idle")
		if err != nil {
			return err
		}
		pause(r, 20*time.Millisecond)
		ms, err := r.ms(p)
		p.Kill()
		if err != nil {
			return err
		}
		r.add("in_init", 1)
		for _, m := range ms {
			if m.Role == goruntime.RoleMain && m.Int > 0 && m.Ext == 0 {
				r.add("runtime_locked", 1)
			}
		}
	}
	r.Workloads = r.Workloads[:1]
	r.Source = "the runtime's memory"
	return nil
}
