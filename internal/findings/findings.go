// Package findings compares one window's Result with thresholds and makes a [Finding] of each
// number beyond them: a message, the numbers behind it, and advice. It is pure.
//
// A missing finding is better than a false one. A finding from things that happened ("82 threads/s
// were destroyed") survives lost records, which make its numbers lower bounds: it is then worded
// and marked so. A finding from things that did not happen ("never woken") needs a window without
// losses. Unknown values are no evidence. What a window could not show at all is no all-clear:
// [Judged] has each kind that was not looked for, and why.
//
// Every threshold is a constant with its reason, next to its finding. Each kind of finding is one
// function, listed in kinds (kinds.go): churn.go (pins that end), children.go, pins.go (pins that
// stay), growing.go (pins and threads that become more), load.go (hand-offs, SIGURG), calls.go (EINTR),
// sysmon.go, placement.go (CPUs), delayed.go (waits for one), surplus.go (threads), quota.go (CPU time
// that the process may use) and differs.go (threads that are not as the others).
package findings

import (
	"cmp"
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
)

// Severities: info is worth knowing, warn costs something now or will, error breaks something soon.
const (
	info = "info"
	warn = "warn"
	fail = "error"
)

// warnCPU is the part of one CPU from which on a cost is a warning, whatever causes it: a twentieth
// shows in a bill and in a latency.
const warnCPU = 0.05

// Finding is one thing worth acting on.
type Finding struct {
	ID       string // stable name of the kind of finding
	Severity string // info, warn, error
	Message  string // what was found, with numbers and units
	Advice   string // what to change
	// Cost is the CPU time that it takes; nil = none, or not known.
	Cost *Cost
	// Evidence holds the numbers behind the finding, for JSON: keys in snake_case that end in the
	// unit (_ns, _s, _per_s, _fraction of 1), values that are numbers, strings, booleans, lists of
	// these, or nil where not known.
	Evidence map[string]any
}

// Cost is CPU time as a fraction of one CPU: the best estimate, and what it lies between.
type Cost struct {
	CPU, Least, Most float64
	How              string // how it was estimated
}

// exactCost is a cost that was measured, not estimated.
func exactCost(cpu float64, how string) *Cost {
	return &Cost{CPU: rounded(cpu), Least: rounded(cpu), Most: rounded(cpu), How: how}
}

// severity is that of a cost alone.
func (c *Cost) severity() string {
	if c != nil && c.CPU >= warnCPU {
		return warn
	}
	return info
}

// About holds what is known of the process beside the Result, as read after the window's end.
type About struct {
	NotGo      bool                // no Go runtime could be read: there may be none
	GOMAXPROCS int                 // 0 = not known
	Affinity   map[int32][]int     // by tid: the CPUs a thread may run on; missing = not known
	Priorities map[int32]Priority  // by tid: of threads that live; missing = not known
	Held       map[int32]Held      // by tid: what holds a thread that lives; nil = not read
	Goroutines map[int32]Goroutine // by tid: what it runs; missing = nothing, or not known
	Limits     []Limit             // of the number of threads
	// Affinity when the window began, and the CPUs that the process's cpuset allows, in the kernel's
	// list format: then, and at the window's end; "" = not known.
	AffinityBefore       map[int32][]int
	CPUSetBefore, CPUSet string

	Quota      *Quota // nil = there is none, or it is not known
	QuotaErr   error  // why it is not known
	Attributes Attributes
	// CPU is the process's CPU time in the window and SysmonCPU that of sysmon, both by the kernel's
	// own account; nil = not known.
	CPU, SysmonCPU *time.Duration
	// StopAccount is the runtime's account of its stops of the world; nil = not known.
	StopAccount    []StopAccount
	StopAccountErr error // why it is not known
}

// Held is what holds a thread after the window's end.
type Held struct {
	Idle   bool   // nothing: it has no goroutine
	Worker bool   // an unlocked thread of role worker or main
	Words  string // for people: "main.work in read(2)"
}

// Quota is the tightest quota of CPU time that holds for the process.
type Quota struct {
	Group              string        // the cgroup that has it
	Limit, Period      time.Duration // CPU time in each period
	Periods, Throttled uint64        // of the window: all, and those in which it was used up
	Time               time.Duration // that its threads were kept off a CPU, in sum over CPUs
}

// CPUs is how many CPUs the quota allows to be used all the time.
func (q *Quota) CPUs() float64 { return float64(q.Limit) / float64(q.Period) }

// Attributes are what the kernel keeps for each thread and Go takes to be the process's.
type Attributes struct {
	Names []string           // the most consequential first
	ByTID map[int32][]string // the values, by name; "" = not known
}

// Priority is how the kernel prefers a thread to others.
type Priority struct {
	Policy string // as SCHED_OTHER; "" = not known
	Nice   int
}

// Goroutine is the goroutine that a thread runs, perhaps in a system call.
type Goroutine struct {
	Entry  string // the function it began with; "" = not known
	InCall bool   // it is in a system call or in C
}

// Limit is a limit of the number of threads.
type Limit struct {
	Name     string // as its owner calls it: "pids.max of /system.slice/app.service"
	Max, Now uint64 // Now counts all that it limits, which may be more than this process
}

// PerKind bounds the findings of one kind: three functions show the mistake of ten.
const PerKind = 3

// observed is one Result with the values that several kinds of findings need.
type observed struct {
	*correlate.Result
	About
	ns       int64   // of the window, in which the process was allowed to run
	seconds  float64 // the same
	complete bool    // nothing was missed
}

// Judged is a kind of finding that was looked for, or not.
type Judged struct {
	ID  string
	Why string // why it could not be looked for; "" = it was
}

// Find returns the findings in one window, the dearest first, and what was looked for. It does not
// change res and keeps no reference to it.
func Find(res *correlate.Result, about About) (found []Finding, judged []Judged) {
	o := &observed{Result: res, About: about, ns: int64(res.End.Sub(res.Start)) - res.Paused}
	o.seconds = float64(o.ns) / 1e9
	o.complete = !res.Loss.Lossy()
	never := "the window has no length"
	if res.Paused > 0 {
		never = "the process was stopped or frozen all the time"
	}
	for _, k := range kinds {
		var fs []Finding
		why := never
		if o.ns > 0 {
			fs = k.find(o)
			why = ""
			if len(fs) == 0 && k.unable != nil {
				why = k.unable(o)
			}
		}
		judged = append(judged, Judged{k.id, why})
		found = append(found, fs[:min(len(fs), PerKind)]...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.cpu(), a.cpu()))
	})
	return found, judged
}

// rank orders findings by severity. What grows until it breaks comes before what costs the same all
// the time.
func rank(f Finding) int {
	if f.Severity != info && (f.ID == pinsGrowing || f.ID == threadsGrowing) {
		return -1
	}
	return slices.Index([]string{fail, warn, info}, f.Severity)
}

// cpu is the cost for comparison.
func (f *Finding) cpu() float64 {
	if f.Cost == nil {
		return 0
	}
	return f.Cost.CPU
}

// rate returns n per second of the window.
func (o *observed) rate(n uint64) float64 { return float64(n) / o.seconds }

// atLeast returns the words before a number that lost records make a lower bound.
func (o *observed) atLeast() string {
	if o.complete {
		return ""
	}
	return "at least "
}

// minSamples is the least number of samples that a mean is taken from, as for verdicts
// (contract.MinSamples).
const minSamples = 6

// cpu returns the mean CPU time, in ns, of a phase: of its part with that cause where that has
// enough samples, else of all samples; false where these are too few. Time off the CPU is left out
// as far as it is known.
func (o *observed) cpu(id, phase, cause string) (float64, bool) {
	var whole, part *correlate.Cost
	for i := range o.Costs {
		c := &o.Costs[i]
		switch {
		case c.ID != id || c.Phase != phase || c.Locked != "" || c.State != "" || c.Hist.N() < minSamples:
		case c.Cause == "":
			whole = c
		case c.Cause == cause:
			part = c
		}
	}
	c := cmp.Or(part, whole)
	if c == nil {
		return 0, false
	}
	mean := c.Hist.Mean()
	if c.OffCPU != nil {
		mean = max(0, mean-*c.OffCPU)
	}
	return mean, true
}

// slept reports whether a thread lived through the whole window without running or being ready to:
// its state at the end was its state all the time.
func (o *observed) slept(t *correlate.Thread) bool {
	return o.complete && t.StartedAt == 0 && t.ExitedAt == 0 && t.Switches == 0 &&
		t.Blocked >= o.ns && t.Run+t.Runq+t.Unknown == 0
}
