package loader

import (
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// firing is a workload and the hooks that it passes often. Hooks are named as in Stats.
type firing struct {
	name  string
	args  []string
	cgo   bool // with C, whose threads are made by clone3
	hooks []string
}

var firings = []firing{
	{"pingpong", []string{"pingpong", "-pairs", "2"}, false, []string{"sched_switch", "sched_waking"}},
	{"churn", []string{"burst", "-n", "8", "-every", "0"}, false, []string{
		"sys_enter_clone", "sys_exit_clone", "task_newtask", "sched_wakeup_new", "sys_enter_rt_sigprocmask",
		"sys_enter_sigaltstack", "sys_enter_exit", "sched_process_exit", "sched_process_free",
	}},
	{"cgochurn", []string{"burst", "-n", "8", "-every", "0"}, true, []string{"sys_enter_clone3", "sys_exit_clone3"}},
	{"storm", []string{"storm"}, false, []string{
		"sys_enter_tgkill", "signal_generate", "sys_exit_tgkill", "signal_deliver", "sys_enter_rt_sigreturn",
	}},
	{"threads", []string{"threads", "-tokens", "16", "-pace", "0"}, false, []string{"sched_migrate_task"}},
}

// BenchmarkHooks compares a run of each program to empty programs on the same hook in the same run.
// The times are the kernel's BPF statistics, which add about 55 ns to all for their clock reads.
// target: the observed process passes the hook; foreign: another process does. Budgets, × empty: a
// foreign switch 1.15, a switch of the target 5, others 10, with a stack 20.
func BenchmarkHooks(b *testing.B) {
	testenv.Require(b, testenv.BPF, testenv.BPFAdmin)
	for _, f := range firings {
		b.Run(f.name+"/foreign", func(b *testing.B) { benchmarkFiring(b, f, true) })
		b.Run(f.name+"/target", func(b *testing.B) { benchmarkFiring(b, f, false) })
	}
}

// A measurement consists of slices. The ring is emptied after each.
const (
	firingSlice  = 50 * time.Millisecond
	firingSlices = 30
)

// hookCost is a program between two empty ones. The first program on a hook runs with the coldest
// caches.
type hookCost struct {
	name          string
	first, last   *ebpf.Program
	prog          *ebpf.Program
	ours, nothing ns
}

// benchmarkFiring measures all hooks of a workload at once and reports each as a separate
// benchmark.
func benchmarkFiring(b *testing.B, f firing, foreign bool) {
	start := testenv.Workload
	if f.cgo {
		start = testenv.CgoWorkload
	}
	target := start(b, f.args...)
	if foreign {
		target = start(b, "idle") // with C as well: without, clone3 is not hooked
	}
	rt, err := goruntime.Open(target.PID, goruntime.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer rt.Close()
	var costs []*hookCost
	for _, name := range f.hooks {
		costs = append(costs, &hookCost{name: name, first: attachEmpty(b, name)})
	}
	s := attachTo(b, target.PID, Config{Runtime: RuntimeOf(&rt.Info)})
	for _, c := range costs {
		i := slices.IndexFunc(s.attached, func(a attachment) bool { return a.name == c.name })
		c.prog, c.last = s.attached[i].prog, attachEmpty(b, c.name)
	}
	enableStats(b)
	for range firingSlices {
		for _, c := range costs {
			c.nothing.begin(b, c.first)
			c.ours.begin(b, c.prog)
			c.nothing.begin(b, c.last)
		}
		time.Sleep(firingSlice)
		for _, c := range costs {
			c.nothing.end(b, c.first)
			c.ours.end(b, c.prog)
			c.nothing.end(b, c.last)
		}
		drain(b, s)
	}
	for _, c := range costs {
		b.Run(c.name, func(b *testing.B) {
			if c.ours.runs == 0 || c.nothing.runs == 0 {
				b.Fatalf("%s ran %d times, the empty programs %d", c.name, c.ours.runs, c.nothing.runs)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(c.ours.runs), "runs")
			b.ReportMetric(c.nothing.perRun(), "ns/empty-run")
			b.ReportMetric(c.ours.perRun(), "ns/run")
			b.ReportMetric(c.ours.perRun()/c.nothing.perRun(), "×empty")
		})
	}
}
