package main

import (
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/internal/workload"
)

// minKnown is the least share of lock observations that must have passed pinwatch's self-check.
const minKnown = 0.99

// report is the part of a pinwatch.report/v1 that the matrix reads.
type report struct {
	Target struct {
		GoVersion *string `json:"go_version"`
		Cgo       *bool   `json:"cgo"`
		Offsets   *string `json:"offsets"` // dwarf, table, none
	} `json:"target"`
	Loss struct { // without broken links: they spoil times, which are not compared here
		Total           uint64 `json:"total"`
		Late            uint64 `json:"late"`
		RecursionMisses uint64 `json:"recursion_misses"`
		Untracked       uint64 `json:"untracked_threads"`
		UntrackedTurns  uint64 `json:"untracked_switches"`
	} `json:"loss"`
	Counts struct {
		Exited       uint64  `json:"threads_exited"`
		ExitedLocked *uint64 `json:"threads_exited_locked"`
		Locked       *uint64 `json:"locked_threads"`
	} `json:"counts"`
	Locks    *lockShare `json:"locks"`
	Threads  []thread   `json:"threads"`
	Warnings []string   `json:"warnings"`
}

// lossy reports whether counts are lower bounds only.
func (r *report) lossy() bool {
	l := &r.Loss
	return l.Total+l.Late+l.RecursionMisses+l.Untracked+l.UntrackedTurns != 0
}

// lockShare counts readings of a thread's lock state, and those that failed the self-check.
type lockShare struct {
	Observations uint64 `json:"observations"`
	Unknown      uint64 `json:"unknown"`
}

// known is the share of observations with a known state; 0 without observations.
func (l *lockShare) known() float64 {
	if l == nil || l.Observations == 0 || l.Unknown > l.Observations {
		return 0
	}
	return float64(l.Observations-l.Unknown) / float64(l.Observations)
}

type thread struct {
	TID       int     `json:"tid"`
	Role      string  `json:"role"`
	Lock      string  `json:"lock"`
	LockedExt *uint32 `json:"locked_ext"`
	LockedInt *uint32 `json:"locked_int"`
	GoID      *int64  `json:"goid"`
	ExitNS    *int64  `json:"exit_ns"`
}

// problem is a difference between an account and a report.
type problem struct {
	mislabel bool // the report states something wrong, and not only too little
	text     string
}

func (p problem) String() string {
	if p.mislabel {
		return "MISLABEL: " + p.text
	}
	return p.text
}

// comparison compares a report with the account of the same activity, all of which the report must
// cover. The target rests when it is last observed, so that the last states agree.
type comparison struct {
	account  *workload.Account
	report   *report
	problems []problem
}

// compare lists the problems, in no order that matters.
func compare(a *workload.Account, r *report) []problem {
	c := comparison{account: a, report: r}
	c.run()
	c.counts()
	live := map[int]thread{}
	for _, t := range r.Threads {
		if t.ExitNS == nil {
			live[t.TID] = t
		} else {
			c.exited(t)
		}
	}
	pins := map[int]workload.Pin{}
	for _, p := range a.Pins {
		pins[p.TID] = p
	}
	for _, tid := range a.Threads {
		if _, ok := live[tid]; !ok {
			c.miss("thread %d is not in the report", tid)
		}
	}
	for tid, t := range live {
		if p, ok := pins[tid]; ok {
			c.pinned(t, p)
		} else if t.Lock != "exiting" || slices.Contains(a.Threads, tid) {
			c.free(t)
		} // else it has left the process, and its last switch-out came after the window or was not traced
	}
	c.roles(live, pins)
	return c.problems
}

func (c *comparison) miss(format string, args ...any) {
	c.problems = append(c.problems, problem{false, fmt.Sprintf(format, args...)})
}

func (c *comparison) wrong(format string, args ...any) {
	c.problems = append(c.problems, problem{true, fmt.Sprintf(format, args...)})
}

// run checks that the report is about this build and saw everything.
func (c *comparison) run() {
	r := c.report
	if v := r.Target.GoVersion; v == nil {
		c.miss("no Go version")
	} else if *v != c.account.GoVersion {
		c.wrong("Go version %s, is %s", *v, c.account.GoVersion)
	}
	if r.lossy() {
		c.miss("the report has losses: %+v", r.Loss)
	}
	if r.Locks == nil {
		c.miss("no lock state was observed")
	} else if k := r.Locks.known(); k < minKnown {
		c.miss("%.2f %% of %d lock observations are known, want %.0f %%", 100*k, r.Locks.Observations, 100*minKnown)
	}
}

func (c *comparison) counts() {
	n, a := c.report.Counts, c.account
	c.count("threads exited", &n.Exited, a.LockedExits)
	c.count("threads exited while locked", n.ExitedLocked, a.LockedExits)
	c.count("threads are locked at the end", n.Locked, uint64(len(a.Pins)))
}

func (c *comparison) count(what string, got *uint64, want uint64) {
	switch {
	case got == nil:
		c.miss("not known how many %s; the account has %d", what, want)
	case *got == want:
	case *got < want && c.report.lossy():
		c.miss("%d %s, the account has %d", *got, what, want)
	default:
		c.wrong("%d %s, the account has %d", *got, what, want)
	}
}

// exited checks a thread that ended: all of them were locked.
func (c *comparison) exited(t thread) {
	if !slices.Contains(c.account.LockedExitTIDs, t.TID) {
		c.wrong("thread %d did not exit", t.TID)
	}
	c.label(t, "lock", t.Lock, "exiting")
}

// pinned checks a live thread that a goroutine is locked to.
func (c *comparison) pinned(t thread, p workload.Pin) {
	c.label(t, "lock", t.Lock, "user")
	number(c, t, "locked_ext", t.LockedExt, uint32(p.Depth))
	number(c, t, "locked_int", t.LockedInt, 0)
	number(c, t, "goid", t.GoID, p.GoID)
}

// free checks a live thread that no goroutine is locked to. The workload listens for no signal and
// is in no callback from C, for which the runtime would lock a thread itself.
func (c *comparison) free(t thread) {
	if t.TID == c.account.WedgedTID {
		c.label(t, "lock", t.Lock, "wedged")
		return
	}
	c.label(t, "lock", t.Lock, "none")
	number(c, t, "locked_ext", t.LockedExt, 0)
	number(c, t, "locked_int", t.LockedInt, 0)
	if t.GoID != nil {
		c.wrong("thread %d: goid %d of a thread that is not locked", t.TID, *t.GoID)
	}
}

// roles checks that every thread has the one role it can have. The account does not contain which
// thread is sysmon and which the template thread: there must be one each, and the latter only when
// something needs it (runtime.startTemplateThread).
func (c *comparison) roles(live map[int]thread, pins map[int]workload.Pin) {
	count := map[string]int{}
	for tid, t := range live {
		_, pinned := pins[tid]
		count[t.Role]++
		switch {
		case t.Role == "unknown" || t.Role == "":
			c.miss("thread %d: role unknown", tid)
		case (t.Role == "main") != (tid == c.account.PID):
			c.wrong("thread %d: role %s; the main thread is %d", tid, t.Role, c.account.PID)
		case t.Role == "main" || t.Role == "worker":
		case (t.Role == "sysmon" || t.Role == "template") && !pinned:
		default:
			c.wrong("thread %d: role %s", tid, t.Role)
		}
	}
	if count["sysmon"] > 1 {
		c.wrong("%d threads are sysmon", count["sysmon"])
	} else if count["sysmon"] == 0 {
		c.miss("no thread is sysmon")
	}
	cgo := c.report.Target.Cgo != nil && *c.report.Target.Cgo // in runtime.main
	templates := 0
	if len(c.account.Pins) > 0 || c.account.LockedExits > 0 || c.account.WedgedTID != 0 || cgo {
		templates = 1
	}
	if n := count["template"]; n > templates {
		c.wrong("%d template threads, want %d", n, templates)
	} else if n < templates {
		c.miss("no template thread")
	}
}

func (c *comparison) label(t thread, what, got, want string) {
	switch got {
	case want:
	case "", "unknown":
		c.miss("thread %d: %s unknown, is %s", t.TID, what, want)
	default:
		c.wrong("thread %d: %s %s, is %s", t.TID, what, got, want)
	}
}

func number[T comparable](c *comparison, t thread, what string, got *T, want T) {
	switch {
	case got == nil:
		c.miss("thread %d: %s unknown, is %v", t.TID, what, want)
	case *got != want:
		c.wrong("thread %d: %s %v, is %v", t.TID, what, *got, want)
	}
}
