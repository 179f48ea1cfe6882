package main

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/loader"
)

// traced are the events that the trace buffer is asked for: all that pinwatch counts but switches.
var traced = []string{
	"syscalls/sys_enter_clone", "syscalls/sys_exit_clone", "syscalls/sys_enter_clone3", "syscalls/sys_exit_clone3",
	"syscalls/sys_enter_exit", "syscalls/sys_enter_tgkill", "syscalls/sys_exit_tgkill", "syscalls/sys_enter_rt_sigreturn",
	"task/task_newtask", "sched/sched_process_exit", "signal/signal_generate", "signal/signal_deliver",
}

// timed are the others that begin or end something that takes time.
var timed = append([]string{
	"syscalls/sys_enter_rt_sigprocmask", "syscalls/sys_enter_sigaltstack",
	"sched/sched_switch", "sched/sched_waking", "sched/sched_wakeup_new",
}, traced...)

// recorded are the same for perf.
var recorded = []string{
	"raw_syscalls/sys_enter", "raw_syscalls/sys_exit", "task/task_newtask", "sched/sched_process_exit", "signal/signal_generate",
	"signal/signal_deliver", "sched/sched_switch", "sched/sched_waking", "sched/sched_wakeup_new",
}

// scene is what is to be watched.
type scene struct {
	args []string // of the workload
	cgo  bool     // it is the one that is linked with C
	work time.Duration
	ends bool // the workload ends within the window
}

// truth is one window of one workload, seen by pinwatch and, at the same time, by observers that have nothing in common with it.
type truth struct {
	report   report.Report
	account  workload.Account
	before   []int32               // threads at the window's start
	after    []int32               // and at its end
	switches []witness.SwitchEvent // bpftrace's
	lastCPU  map[int32]int         // see witness.CountSwitches
	own      map[int32]bool        // every thread that lived in the window
	seen     stream                // by pinwatch
	views    []view                // by the others
	alone    bool                  // nobody else was on the hooks, and pinwatch by no others: else the order of stamps is not known
}

// view is what one instrument saw.
type view struct {
	name      string
	stream    stream
	only      []string              // of exactly, those it was asked for; nil = all
	intervals map[string][]interval // in the window, by name
	early     bool                  // it stamps before pinwatch; the others after
	derived   bool                  // it tells of intervals only, and of those it likes
}

// bpftraceOnly is what bpftrace is asked for.
var bpftraceOnly = []string{newTask, goOff}

// witness has everybody watch a workload from its rest before the activity to its rest, or its end, after it. Nothing happens while
// an observer begins or ends, so that it does not matter in which order they do. Who attaches to a hook first is run first by it: the trace
// buffer, then pinwatch, then bpftrace and perf. So of every moment the stamps lie in that order, however slow or busy the machine is, and what
// lies between the ends of an interval by pinwatch's clock lies between bounds that the others give.
func (s scene) witness(t *testing.T) *truth {
	t.Helper()
	testenv.Require(t, testenv.BPF, testenv.Tracefs)
	start := testenv.Workload
	if s.cgo {
		start = testenv.CgoWorkload
	}
	p := start(t, append(s.args[:len(s.args):len(s.args)], "-hold")...)
	comm, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/comm")
	if err != nil {
		t.Fatal(err)
	}
	p.Quiet()
	name := strings.TrimSpace(string(comm))
	others := testenv.OtherTracers(t)
	trace := witness.StartSchedTrace(t, name, timed)
	var all []events.Event
	pinwatch := attachTee(t, p.PID, func(e *events.Event) { all = append(all, *e) })
	var switches *witness.Switches
	if testenv.Bpftrace.Missing() == nil {
		switches = witness.StartSwitches(t, p.PID)
	}
	var perf *witness.Perf
	if testenv.PerfRecord.Missing() == nil {
		perf = witness.StartPerf(t, name, recorded)
	}
	p.Quiet()
	w := &truth{before: p.Threads()}
	p.Go()
	time.Sleep(s.work) // the length of the run
	if s.ends {
		w.account = p.Stop()
		w.report = pinwatch.report()
	} else {
		w.account = p.Quiesce()
		p.Quiet()
		w.after = p.Threads()
		w.report = pinwatch.end()
		p.Stop()
	}
	others = append(others, testenv.OtherTracers(t, switches.PID(), perf.PID())...)
	if w.alone = len(others) == 0; !w.alone {
		t.Logf("processes %v trace, too: who stamps first is not known, so no bounds", others)
	}
	if hooks := w.report.Observer.Hooks; slices.Contains(slices.Collect(maps.Values(hooks)), loader.Fentry) {
		w.alone = false
		t.Logf("pinwatch is on functions (%v), the others on tracepoints: so no bounds", hooks)
	}
	w.gather(all, trace, switches, perf)
	t.Logf("%+v, %d broken links", w.report.Counts, w.report.Loss.BrokenLinks)
	return w
}

// gather ends the other observers and sorts what everybody saw.
func (w *truth) gather(all []events.Event, trace *witness.Trace, switches *witness.Switches, perf *witness.Perf) {
	start, end := w.report.Window.StartNS, w.report.Window.EndNS
	traced := witness.OfThreads(trace.Stop(), w.before)
	w.own = map[int32]bool{}
	for _, tid := range w.before {
		w.own[tid] = true
	}
	for _, e := range traced {
		if child, ok := e.Int("pid"); ok && e.Name == "task_newtask" {
			w.own[int32(child)] = true
		}
	}
	add := func(v view) {
		v.stream = v.stream.within(start, end)
		if !v.derived {
			v.intervals = v.stream.intervals(w.own)
		}
		w.views = append(w.views, v)
	}
	w.seen = pinwatchMoments(all).within(start, end)
	add(view{name: "tracefs", stream: traceMoments(traced, w.own), early: true})
	if switches != nil {
		w.switches, w.lastCPU = switches.Stop(), switches.LastCPU
		add(view{name: "bpftrace", stream: bpftraceMoments(w.own, w.switches, switches), only: bpftraceOnly})
	}
	if perf != nil {
		add(view{name: "perf", stream: traceMoments(witness.OfThreads(perf.Stop(), w.before), w.own)})
		byPerf := w.views[len(w.views)-1].intervals
		add(view{name: "perf trace", intervals: w.perfCalls(perf.Syscalls()), derived: true})
		add(view{name: "perf sched", intervals: w.perfRuns(perf.Runs(), byPerf[onCPU]), derived: true})
	}
}

// perfCalls are the intervals that perf trace tells of.
func (w *truth) perfCalls(calls []witness.PerfSyscall) map[string][]interval {
	all := map[string][]interval{}
	for _, c := range calls {
		name := map[string]string{"clone": "P-8 clone_syscall", "clone3": "P-8 clone_syscall", "tgkill": "P-5 send"}[c.Name]
		if name != "" && w.own[c.TID] && w.holds(c.Time) {
			all[name] = append(all[name], interval{c.TID, c.Time, c.Time + c.NS})
		}
	}
	return all
}

// perfRuns are the intervals that perf sched timehist tells of. It knows of no gap in the recording: what it says of a run of which the
// recording has no begin is about another.
func (w *truth) perfRuns(runs []witness.PerfRun, recorded []interval) map[string][]interval {
	const microsecond = 1000
	type end struct {
		tid int32
		at  int64 // µs
	}
	known := map[end]bool{}
	for _, iv := range recorded {
		known[end{iv.tid, iv.end / microsecond}] = true
	}
	all := map[string][]interval{}
	for _, r := range runs {
		if !w.own[r.TID] || !w.holds(r.Time) || r.RunNS == 0 || !known[end{r.TID, r.Time / microsecond}] {
			continue
		}
		in := r.Time - r.RunNS
		all[onCPU] = append(all[onCPU], interval{r.TID, in, r.Time})
		if r.DelayNS > 0 {
			all[waitWoken] = append(all[waitWoken], interval{r.TID, in - r.DelayNS, in})
		}
	}
	return all
}

func (w *truth) holds(at int64) bool {
	return at >= w.report.Window.StartNS && at < w.report.Window.EndNS
}
