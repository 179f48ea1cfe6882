package loader

import (
	"fmt"
	"math"
	"slices"

	"github.com/pinwatch/pinwatch/bpf"
)

// overheadRun is a program that times some of its runs for the target (bpf/overhead.h), and its
// hook.
type overheadRun struct {
	name   string // in costs
	family string // in Session.Hooks
	side   bpf.PinwatchOverheadSide
	run    bpf.PinwatchOverheadRun
}

// Sides of a switch. A row of overheadRuns with a side covers only runs in which a thread of the
// target leaves the CPU, or comes to it.
const (
	anySide = bpf.PinwatchOverheadSide(0)
	outSide = bpf.PinwatchOverheadSideOVERHEAD_OUT
	inSide  = bpf.PinwatchOverheadSideOVERHEAD_IN
)

var overheadRuns = []overheadRun{
	{"task_newtask", "task_newtask", anySide, bpf.PinwatchOverheadRunOVERHEAD_NEWTASK},
	{"clone", "clone", anySide, bpf.PinwatchOverheadRunOVERHEAD_CLONE}, // and clone3: they are alike
	{"clone_return", "clone", anySide, bpf.PinwatchOverheadRunOVERHEAD_CLONE_RETURN},
	{"rt_sigprocmask", "rt_sigprocmask", anySide, bpf.PinwatchOverheadRunOVERHEAD_SIGMASK},
	{"sigaltstack", "sigaltstack", anySide, bpf.PinwatchOverheadRunOVERHEAD_SIGALTSTACK},
	{"exit", "exit", anySide, bpf.PinwatchOverheadRunOVERHEAD_EXIT},
	{"sched_process_exit", "sched_process_exit", anySide, bpf.PinwatchOverheadRunOVERHEAD_PROCESS_EXIT},
	{"tgkill", "tgkill", anySide, bpf.PinwatchOverheadRunOVERHEAD_TGKILL},
	{"tgkill_return", "tgkill", anySide, bpf.PinwatchOverheadRunOVERHEAD_TGKILL_RETURN},
	{"signal_generate", "signal_generate", anySide, bpf.PinwatchOverheadRunOVERHEAD_GENERATE},
	{"signal_deliver", "signal_deliver", anySide, bpf.PinwatchOverheadRunOVERHEAD_DELIVER},
	{"rt_sigreturn", "rt_sigreturn", anySide, bpf.PinwatchOverheadRunOVERHEAD_SIGRETURN},
	{"sched_switch_out", "sched_switch", outSide, bpf.PinwatchOverheadRunOVERHEAD_SWITCH},
	{"sched_switch_in", "sched_switch", inSide, bpf.PinwatchOverheadRunOVERHEAD_SWITCH},
	{"sched_waking", "sched_waking", anySide, bpf.PinwatchOverheadRunOVERHEAD_WAKING},
	{"sched_wakeup_new", "sched_wakeup_new", anySide, bpf.PinwatchOverheadRunOVERHEAD_WAKEUP_NEW},
	{"sched_migrate_task", "sched_migrate_task", anySide, bpf.PinwatchOverheadRunOVERHEAD_MIGRATE},
}

// ProgramTime is the time of one program's run for the target, measured by the program itself.
type ProgramTime struct {
	Name       string
	N          int      // runs that were timed
	NS         float64  // mean of a run, without the cost of reading the clock; meaningless if N = 0
	DispatchNS *float64 // the kernel's cost of entering and leaving the program; nil = not attached
}

// overheadGrant is the number of runs of each program that may time themselves between two
// collections. Timing costs a run some 70 ns.
const overheadGrant = 8

// overheadKept is the number of times per program that are kept: the last ones.
const overheadKept = 4096

// ProgramTimes collects the times that the programs measure of themselves.
type ProgramTimes struct {
	shared   *Shared
	clock    float64            // ns of one reading of the clock
	dispatch map[string]float64 // ns, by the way a program is attached
	seen     [bpf.PinwatchOverheadRunOVERHEAD_COUNT]uint32
	kept     [bpf.PinwatchOverheadRunOVERHEAD_COUNT][]uint32
	times    [bpf.PinwatchOverheadRunOVERHEAD_COUNT]bpf.PinwatchOverheadTimed
}

// NewProgramTimes begins a collection. Without a calibration (nil) its times are of no use.
func (s *Shared) NewProgramTimes(c *Calibration) *ProgramTimes {
	o := &ProgramTimes{shared: s}
	if c != nil {
		o.clock, o.dispatch = c.ClockRead, c.Dispatch
	}
	return o
}

// Slow is a measuring aid. It makes programs slower by readings of the clock.
type Slow struct {
	Reads    uint32   // of the clock, in each run
	Programs []string // names as in ProgramTime
}

func (k *kernelSide) setSlow(s Slow) error {
	var runs uint32
	for _, r := range overheadRuns {
		if slices.Contains(s.Programs, r.name) {
			runs |= 1 << r.run
		}
	}
	return set(setting{k.SlowRuns, runs}, setting{k.SlowReads, s.Reads})
}

// Collect reads the times since the last collection and lets more runs be timed. It is cheap: call
// it often. nil collects nothing.
func (o *ProgramTimes) Collect() error {
	if o == nil {
		return nil
	}
	if err := o.shared.objs.OverheadTimes.Get(&o.times); err != nil {
		return fmt.Errorf("read the programs' times: %w", err)
	}
	for run := range o.times {
		t := &o.times[run]
		samples := uint32(len(t.Ns))
		for i := t.N - min(t.N-o.seen[run], samples); i != t.N; i++ {
			if kept := &o.kept[run]; len(*kept) < overheadKept {
				*kept = append(*kept, t.Ns[i%samples])
			} else {
				(*kept)[i%overheadKept] = t.Ns[i%samples]
			}
		}
		o.seen[run] = t.N
	}
	var grant [bpf.PinwatchOverheadRunOVERHEAD_COUNT]uint32
	for run := range grant {
		grant[run] = overheadGrant
	}
	if err := o.shared.objs.OverheadLeft.Set(grant); err != nil {
		return fmt.Errorf("let the programs time themselves: %w", err)
	}
	return nil
}

// Times returns the means so far.
func (o *ProgramTimes) Times() []ProgramTime {
	list := make([]ProgramTime, 0, len(overheadRuns))
	for _, r := range overheadRuns {
		t := ProgramTime{Name: r.name, DispatchNS: o.dispatchNS(r.family)}
		t.N, t.NS = overheadMean(o.kept[r.run], r.side)
		t.NS = max(0, t.NS-o.clock)
		list = append(list, t)
	}
	return list
}

// dispatchNS is the kernel's cost of entering and leaving a program on a hook. A program on a
// function (fentry) is entered like one on a BTF tracepoint.
func (o *ProgramTimes) dispatchNS(family string) *float64 {
	how := o.shared.hooks[family]
	if how == Fentry {
		how = btfTracepoint
	}
	ns, measured := o.dispatch[how]
	if !measured {
		return nil
	}
	return &ns
}

// overheadMean is the mean of the times on one side. It leaves out times above interrupted times
// the median: an interrupt came, or the hypervisor ran something else.
func overheadMean(times []uint32, side bpf.PinwatchOverheadSide) (n int, mean float64) {
	const interrupted = 8
	var on []uint32
	for _, t := range times {
		if t&uint32(side) == uint32(side) {
			on = append(on, t>>bpf.PinwatchOverheadSideOVERHEAD_SIDE_BITS)
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
