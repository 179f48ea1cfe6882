package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// ms reads the Ms of a resting workload from its memory.
func (r *run) ms(p *client.Process) ([]goruntime.M, error) {
	rt := r.runtimes[p.PID]
	if rt == nil {
		var err error
		if rt, err = goruntime.Open(p.PID, goruntime.Options{}); err != nil {
			return nil, unableError("the workload's memory cannot be read: " + err.Error())
		}
		r.runtimes[p.PID] = rt
	}
	ms, err := rt.Ms()
	if err != nil {
		return nil, unableError("the runtime's list of threads cannot be read: " + err.Error())
	}
	return ms, nil
}

// check compares the locks that a workload claims with those in its runtime's memory. An experiment
// fails at its end where one was missing.
func (r *run) check(p *client.Process, claims []workload.Claim) {
	threads := map[int]bool{}
	for _, c := range claims {
		threads[c.TID] = true
	}
	r.add("held_at_once", int64(len(claims)))
	r.add("threads_at_once", int64(len(threads)))
	ms, err := r.ms(p)
	if err != nil {
		if note := "the locks are the workload's word: " + err.Error(); !slices.Contains(r.Notes, note) {
			r.Notes = append(r.Notes, note)
		}
		return
	}
	r.claimedMs = ms
	held := 0
	for _, c := range claims {
		i := slices.IndexFunc(ms, func(m goruntime.M) bool { return m.TID == int32(c.TID) })
		if i < 0 {
			continue
		}
		m := ms[i]
		bound := m.GoID == uint64(c.GoID)
		switch {
		case c.Internal: // a clause judges it
			held++
			r.add("internal_claims", 1)
			if m.Int > 0 && m.Ext == 0 && bound {
				r.add("internal_seen", 1)
			}
		case int(m.Ext) == c.Depth && (bound || c.Depth == 0):
			held++
		}
	}
	if held != len(claims) && r.unheld == nil {
		r.unheld = fmt.Errorf("the workload claims %d locks, %d of them are in its runtime's memory", len(claims), held)
	}
	if source := ", and the locks in the runtime's memory"; !strings.HasSuffix(r.Source, source) {
		r.Source += source
	}
}

// held counts the threads that locked goroutines take: those that they are locked to, and those
// that the runtime starts only for them.
func held(r *run) error {
	p, err := r.start("leak", "-n", strconv.Itoa(heldPins))
	if err != nil {
		return err
	}
	pause(r, calming)
	c, err := r.census(p)
	if err != nil {
		p.Kill()
		return err
	}
	a, err := p.Stop()
	if err != nil {
		return err
	}
	r.Source = "the runtime's memory, /proc, and the workload's account"
	r.add("pinned", int64(len(a.Pins)))
	r.add("distinct_threads", int64(len(distinct(a.Pins))))
	for _, m := range c.ms {
		switch {
		case m.TID == 0:
		case m.Role == goruntime.RoleTemplate:
			r.add("template_threads", 1)
		case m.Lock == goruntime.LockUser:
			r.add("locked_threads", 1)
			if slices.Contains(c.tasks, int(m.TID)) {
				r.add("listed", 1)
			}
		}
	}
	if c.calm {
		r.add("proc_threads", int64(c.status))
		r.add("runtime_threads", int64(c.threads()))
	}
	return nil
}

func distinct(pins []workload.Pin) map[int]bool {
	tids := map[int]bool{}
	for _, pin := range pins {
		tids[pin.TID] = true
	}
	return tids
}

// heldPins is the number of goroutines that are locked at one time.
const heldPins = 8

// census is the threads of a process by its status, by its list of tasks, and by its runtime.
type census struct {
	status int
	tasks  []int
	ms     []goruntime.M
	calm   bool // the list was the same before and after the others were read: all describe one moment
}

// threads is the number of Ms that have a thread.
func (c *census) threads() (n int) {
	for _, m := range c.ms {
		if m.TID != 0 {
			n++
		}
	}
	return n
}

func (r *run) census(p *client.Process) (c census, err error) {
	process := procfs.Process(p.PID)
	c.calm, err = probe.Bracketed(50, 10*time.Millisecond, func() ([]int, error) {
		tids, err := process.Threads()
		c.tasks = make([]int, len(tids))
		for i, tid := range tids {
			c.tasks[i] = int(tid)
		}
		return c.tasks, err
	}, func() error {
		status, err := process.Status()
		if err == nil {
			c.status = status.Threads
			c.ms, err = r.ms(p)
		}
		return err
	})
	return c, err
}

// internal reads the lock that the runtime holds while packages are initialized. lockedInt binds
// the main goroutine to the main thread then, as it binds a goroutine to a C thread that calls Go.
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
