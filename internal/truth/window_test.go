package truth

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/loader"
)

// traced are the events that pinwatch counts, as the trace buffer calls them, without switches.
var traced = []string{
	"syscalls/sys_enter_clone", "syscalls/sys_exit_clone", "syscalls/sys_enter_clone3", "syscalls/sys_exit_clone3",
	"syscalls/sys_enter_exit", "syscalls/sys_enter_tgkill", "syscalls/sys_exit_tgkill", "syscalls/sys_enter_rt_sigreturn",
	"task/task_newtask", "sched/sched_process_exit", "signal/signal_generate", "signal/signal_deliver",
}

// timed are traced and the other events that begin or end an interval.
var timed = append([]string{
	"syscalls/sys_enter_rt_sigprocmask", "syscalls/sys_enter_sigaltstack",
	"sched/sched_switch", "sched/sched_waking", "sched/sched_wakeup_new",
}, traced...)

// recorded are the same for perf.
var recorded = []string{
	"raw_syscalls/sys_enter", "raw_syscalls/sys_exit", "task/task_newtask", "sched/sched_process_exit",
	"signal/signal_generate",
	"signal/signal_deliver", "sched/sched_switch", "sched/sched_waking", "sched/sched_wakeup_new",
}

// activity is a workload to observe.
type activity struct {
	args []string // of the workload
	cgo  bool     // it is the one that is linked with C
	work time.Duration
	ends bool // the workload ends within the window
}

// witnessed is one window of one workload, observed by pinwatch and by witnesses that have nothing
// in common with it.
type witnessed struct {
	report   report.Report
	account  workload.Account
	before   []int32               // threads at the window's start
	after    []int32               // and at its end
	switches []witness.SwitchEvent // bpftrace's
	lastCPU  map[int32]int         // see witness.CountSwitches
	lived    map[int32]bool        // every thread that lived in the window
	seen     stream                // pinwatch's
	views    []view                // the witnesses'
	// the order of stamps is known: no other tracer was on the hooks, and pinwatch on tracepoints
	// only
	ordered bool
}

// view is the record of one witness.
type view struct {
	name      string
	stream    stream
	only      []string              // the moments of exactly that it records; nil = all
	intervals map[string][]interval // in the window, by name
	early     bool                  // it stamps before pinwatch; the others after
	derived   bool                  // it has intervals only, and not of every kind
}

// bpftraceOnly are the moments that bpftrace records.
var bpftraceOnly = []string{newTask, goOff}

// observe has pinwatch and all witnesses observe a workload, from its rest before the activity to
// its rest, or its end, after it. Nothing happens while one of them begins or ends, so their order
// does not matter for counts. A hook runs its programs in the order in which they were attached:
// the trace buffer's, then pinwatch's, then bpftrace's and perf's. So the stamps of every moment
// are in that order, however slow or busy the machine is, and an interval by pinwatch's stamps lies
// between bounds that the others' stamps give.
func (a activity) observe(t *testing.T) *witnessed {
	t.Helper()
	testenv.Require(t, testenv.BPF, testenv.Tracefs)
	start := testenv.Workload
	if a.cgo {
		start = testenv.CgoWorkload
	}
	p := start(t, append(a.args[:len(a.args):len(a.args)], "-hold")...)
	stat, err := procfs.Process(p.PID).Stat()
	if err != nil {
		t.Fatal(err)
	}
	p.Quiet()
	others := testenv.OtherTracers(t)
	trace := witness.StartSchedTrace(t, stat.Name, timed)
	var all []events.Event
	observed := observeProcess(t, p.PID, observe.Config{OnEvent: func(e *events.Event) { all = append(all, *e) }})
	var switches *witness.Switches
	if testenv.Bpftrace.Missing() == nil {
		switches = witness.StartSwitches(t, p.PID)
	}
	var perf *witness.Perf
	if testenv.PerfRecord.Missing() == nil {
		perf = witness.StartPerf(t, stat.Name, recorded)
	}
	p.Quiet()
	w := &witnessed{before: p.Threads()}
	p.Go()
	time.Sleep(a.work) // the length of the run
	if a.ends {
		w.account = p.Stop()
		w.report = observed.report()
	} else {
		w.account = p.Quiesce()
		p.Quiet()
		w.after = p.Threads()
		w.report = observed.end()
		p.Stop()
	}
	others = append(others, testenv.OtherTracers(t, switches.PID(), perf.PID())...)
	if w.ordered = len(others) == 0; !w.ordered {
		t.Logf("processes %v trace, too: the order of stamps is not known, so no bounds", others)
	}
	if hooks := w.report.Observer.Hooks; slices.Contains(slices.Collect(maps.Values(hooks)), loader.Fentry) {
		w.ordered = false
		t.Logf("pinwatch is on functions (%v), the witnesses on tracepoints: no bounds", hooks)
	}
	w.gather(all, trace, switches, perf)
	t.Logf("%+v, %d broken links", w.report.Counts, w.report.Loss.BrokenLinks)
	return w
}

// gather ends the witnesses and sorts the records of all.
func (w *witnessed) gather(all []events.Event, trace *witness.Trace, switches *witness.Switches, perf *witness.Perf) {
	start, end := w.report.Window.StartNS, w.end()
	traced := witness.OfThreads(trace.Stop(), w.before)
	w.lived = map[int32]bool{}
	for _, tid := range w.before {
		w.lived[tid] = true
	}
	for _, e := range traced {
		if child, ok := e.Int("pid"); ok && e.Name == "task_newtask" {
			w.lived[int32(child)] = true
		}
	}
	add := func(v view) {
		v.stream = v.stream.window(start, end)
		if !v.derived {
			v.intervals = v.stream.intervals(w.lived)
		}
		w.views = append(w.views, v)
	}
	w.seen = pinwatchMoments(all).window(start, end)
	add(view{name: "tracefs", stream: traceMoments(traced, w.lived), early: true})
	if switches != nil {
		w.switches, w.lastCPU = switches.Stop(), switches.LastCPU
		add(view{name: "bpftrace", stream: bpftraceMoments(w.lived, w.switches, switches), only: bpftraceOnly})
	}
	if perf != nil {
		add(view{name: "perf", stream: traceMoments(witness.OfThreads(perf.Stop(), w.before), w.lived)})
		byPerf := w.views[len(w.views)-1].intervals
		add(view{name: "perf trace", intervals: w.perfCalls(perf.Syscalls()), derived: true})
		add(view{name: "perf sched", intervals: w.perfRuns(perf.Runs(), byPerf[onCPU]), derived: true})
	}
}

// perfCalls are the intervals of perf trace.
func (w *witnessed) perfCalls(calls []witness.PerfSyscall) map[string][]interval {
	all := map[string][]interval{}
	for _, c := range calls {
		name := map[string]string{"clone": "P-8 clone_syscall", "clone3": "P-8 clone_syscall",
			"tgkill": "P-5 send"}[c.Name]
		if name != "" && w.lived[c.TID] && w.holds(c.Time) {
			all[name] = append(all[name], interval{c.TID, c.Time, c.Time + c.NS})
		}
	}
	return all
}

// perfRuns are the intervals of perf sched timehist. It ignores gaps in the recording: when the
// recording lacks the begin of a run, its line is about another run.
func (w *witnessed) perfRuns(runs []witness.PerfRun, recorded []interval) map[string][]interval {
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
		if !w.lived[r.TID] || !w.holds(r.Time) || r.RunNS == 0 || !known[end{r.TID, r.Time / microsecond}] {
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

func (w *witnessed) holds(at int64) bool { return at >= w.report.Window.StartNS && at < w.end() }

// end is the end of the window for witnesses. A target that has ended does nothing after it, but
// they stamp its last switch-out later than pinwatch does.
func (w *witnessed) end() int64 {
	if w.report.Target.Ended != nil {
		return math.MaxInt64
	}
	return w.report.Window.EndNS
}
