package loader

import (
	"fmt"
	"math"
	"slices"

	"github.com/pinwatch/pinwatch/bpf"
)

// ownRun is a program that times some of its runs for the target (bpf/own.h), and the hook that it is on.
type ownRun struct {
	name   string // as costs name it
	family string // of Session.Hooks
	side   uint32 // OWN_OUT or OWN_IN: only runs in which a thread of the target leaves the CPU, or comes to it; 0 = all
	run    bpf.PinwatchOwnRun
}

// OWN_OUT and OWN_IN of bpf/own.h.
const (
	ownOut = 1
	ownIn  = 2
)

var ownRuns = []ownRun{
	{"task_newtask", "task_newtask", 0, bpf.PinwatchOwnRunOWN_NEWTASK},
	{"clone", "clone", 0, bpf.PinwatchOwnRunOWN_CLONE}, // and clone3: they are alike
	{"clone_return", "clone", 0, bpf.PinwatchOwnRunOWN_CLONE_RETURN},
	{"rt_sigprocmask", "rt_sigprocmask", 0, bpf.PinwatchOwnRunOWN_SIGMASK},
	{"sigaltstack", "sigaltstack", 0, bpf.PinwatchOwnRunOWN_SIGALTSTACK},
	{"exit", "exit", 0, bpf.PinwatchOwnRunOWN_EXIT},
	{"sched_process_exit", "sched_process_exit", 0, bpf.PinwatchOwnRunOWN_PROCESS_EXIT},
	{"tgkill", "tgkill", 0, bpf.PinwatchOwnRunOWN_TGKILL},
	{"tgkill_return", "tgkill", 0, bpf.PinwatchOwnRunOWN_TGKILL_RETURN},
	{"signal_generate", "signal_generate", 0, bpf.PinwatchOwnRunOWN_GENERATE},
	{"signal_deliver", "signal_deliver", 0, bpf.PinwatchOwnRunOWN_DELIVER},
	{"rt_sigreturn", "rt_sigreturn", 0, bpf.PinwatchOwnRunOWN_SIGRETURN},
	{"sched_switch_out", "sched_switch", ownOut, bpf.PinwatchOwnRunOWN_SWITCH},
	{"sched_switch_in", "sched_switch", ownIn, bpf.PinwatchOwnRunOWN_SWITCH},
	{"sched_waking", "sched_waking", 0, bpf.PinwatchOwnRunOWN_WAKING},
	{"sched_wakeup_new", "sched_wakeup_new", 0, bpf.PinwatchOwnRunOWN_WAKEUP_NEW},
	{"sched_migrate_task", "sched_migrate_task", 0, bpf.PinwatchOwnRunOWN_MIGRATE},
}

// OwnTime is what a run of one program for the target takes, as the program itself has measured it.
type OwnTime struct {
	Name       string
	N          int     // runs that were timed
	NS         float64 // mean of one, without what reading the clock costs; meaningless with N = 0
	DispatchNS float64 // that the kernel takes to come to the program and back; 0 where it is not attached
}

// ownGrant is how many runs of each program may time themselves until they are collected again; timing one costs it some 70 ns.
const ownGrant = 8

// ownKept is how many times of each program count: its last ones.
const ownKept = 4096

// Own collects what the programs measure of themselves.
type Own struct {
	session  *Session
	clock    float64            // ns that one reading of the clock takes
	dispatch map[string]float64 // ns, by how a program is attached
	seen     [bpf.PinwatchOwnRunOWN_COUNT]uint32
	kept     [bpf.PinwatchOwnRunOWN_COUNT][]uint32
	times    [bpf.PinwatchOwnRunOWN_COUNT]bpf.PinwatchOwnTimed
}

// NewOwn begins a collection. Without a calibration, nil, it collects nothing of use.
func (s *Session) NewOwn(c *Calibration) *Own {
	o := &Own{session: s}
	if c != nil {
		o.clock, o.dispatch = c.ClockRead, c.Dispatch
	}
	return o
}

// Slow makes programs that time themselves slower, by so many readings of the clock.
type Slow struct {
	Reads    uint32
	Programs []string // as OwnTime.Name
}

func (s Slow) set(variables map[string]any) {
	var runs uint32
	for _, r := range ownRuns {
		if slices.Contains(s.Programs, r.name) {
			runs |= 1 << r.run
		}
	}
	variables["slow_runs"], variables["slow_reads"] = runs, s.Reads
}

// Collect takes what has been measured since the last time and lets more runs be timed. It is to be called often; it is cheap.
func (o *Own) Collect() error {
	if err := o.session.objs.OwnTimes.Get(&o.times); err != nil {
		return fmt.Errorf("read the programs' own times: %w", err)
	}
	for run := range o.times {
		t := &o.times[run]
		samples := uint32(len(t.Ns))
		for i := t.N - min(t.N-o.seen[run], samples); i != t.N; i++ {
			if kept := &o.kept[run]; len(*kept) < ownKept {
				*kept = append(*kept, t.Ns[i%samples])
			} else {
				(*kept)[i%ownKept] = t.Ns[i%samples]
			}
		}
		o.seen[run] = t.N
	}
	var grant [bpf.PinwatchOwnRunOWN_COUNT]uint32
	for run := range grant {
		grant[run] = ownGrant
	}
	if err := o.session.objs.OwnLeft.Set(grant); err != nil {
		return fmt.Errorf("have the programs time themselves: %w", err)
	}
	return nil
}

// Times are the means so far.
func (o *Own) Times() []OwnTime {
	list := make([]OwnTime, 0, len(ownRuns))
	for _, r := range ownRuns {
		t := OwnTime{Name: r.name, DispatchNS: o.dispatchOf(r.family)}
		t.N, t.NS = ownMean(o.kept[r.run], r.side)
		t.NS = max(0, t.NS-o.clock)
		list = append(list, t)
	}
	return list
}

// dispatchOf is what it takes to come to a program on a hook. A program on a function (fentry) is come to like one on a BTF tracepoint.
func (o *Own) dispatchOf(family string) float64 {
	how := o.session.hooks[family]
	if how == "fentry" {
		how = "tp_btf"
	}
	return o.dispatch[how]
}

// ownMean is the mean of the times on one side. One that is more than interrupted times the median is none of the program: an
// interrupt came, or the hypervisor ran something else.
func ownMean(times []uint32, side uint32) (n int, mean float64) {
	const interrupted = 8
	var on []uint32
	for _, t := range times {
		if t&side == side {
			on = append(on, t>>2)
		}
	}
	if len(on) == 0 {
		return 0, math.NaN()
	}
	slices.Sort(on)
	most, sum := interrupted*uint64(on[len(on)/2]), uint64(0)
	for _, ns := range on {
		if uint64(ns) <= most {
			n++
			sum += uint64(ns)
		}
	}
	return n, float64(sum) / float64(n)
}
