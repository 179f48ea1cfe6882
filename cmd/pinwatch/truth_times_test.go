package main

import (
	"slices"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
)

// interval is one thing that took time, on one thread.
type interval struct{ begin, end int64 }

// How long things took is how long the trace buffer and bpftrace say they took: the same number of samples, and medians to
// 2 µs, the trace's time stamps being whole microseconds, or to 2 %.
func TestDurationsAreTheKernels(t *testing.T) {
	w := scene{args: []string{"demo"}, work: 3 * time.Second, first: true}.witness(t)
	costs := map[string]report.Cost{}
	for _, c := range w.report.Costs {
		if c.Locked == "" && c.Cause == nil && c.State == nil && c.Bound == nil {
			costs[c.ID+" "+c.Phase] = c
		}
	}
	for name, intervals := range w.durations() {
		c := costs[name]
		if int(c.N) != len(intervals) || len(intervals) < 50 {
			t.Errorf("%s: %d samples, the trace has %d", name, c.N, len(intervals))
			continue
		}
		ns := make([]int64, len(intervals))
		for i, iv := range intervals {
			ns[i] = iv.end - iv.begin
		}
		slices.Sort(ns)
		median := ns[(len(ns)+1)/2-1]
		if abs(*c.P50-median) > max(2000, median/50) {
			t.Errorf("%s: the median is %d ns, the trace has %d", name, *c.P50, median)
		}
		t.Logf("%s: median %d ns of %d, the trace has %d", name, *c.P50, c.N, median)
	}
	w.checkLives(t)
}

func abs(v int64) int64 { return max(v, -v) }

// durations are the intervals of the window, by ID and phase of the cost, as the trace and bpftrace have them. Nothing happens at the
// window's edges, so an interval is all in it or not at all.
func (w *truth) durations() map[string][]interval {
	const sigurg = 23
	all := map[string][]interval{}
	begun := map[string]map[int32]int64{} // by phase and thread
	begin := func(name string, tid int32, at int64) {
		if begun[name] == nil {
			begun[name] = map[int32]int64{}
		}
		begun[name][tid] = at
	}
	end := func(name string, tid int32, at int64) {
		if from := begun[name][tid]; from != 0 {
			all[name] = append(all[name], interval{from, at})
		}
		delete(begun[name], tid)
	}
	own := map[int32]bool{}
	for _, tid := range w.before {
		own[tid] = true
	}
	for _, e := range w.trace {
		if e.Time < w.report.Window.StartNS || e.Time >= w.report.Window.EndNS {
			continue
		}
		sig, _ := e.Int("sig")
		ret, _ := e.Int("ret")
		switch e.Name {
		case "task_newtask":
			child, _ := e.Int("pid")
			own[int32(child)] = true
		case "sys_enter_clone":
			begin("P-8 clone_syscall", e.TID, e.Time)
		case "sys_exit_clone":
			if ret > 0 { // else it is the child's
				end("P-8 clone_syscall", e.TID, e.Time)
			}
		case "sys_enter_exit":
			begin("P-9 exit", e.TID, e.Time)
		case "sys_enter_tgkill":
			if sig == sigurg {
				begin("P-5 send", e.TID, e.Time)
			}
		case "sys_exit_tgkill":
			end("P-5 send", e.TID, e.Time)
		case "signal_generate":
			target, _ := e.Int("pid")
			if res, _ := e.Int("res"); sig == sigurg && res == 0 && own[e.TID] {
				begin("P-5 deliver", int32(target), e.Time)
			}
		case "signal_deliver":
			if sig == sigurg {
				end("P-5 deliver", e.TID, e.Time)
				begin("P-5 handler", e.TID, e.Time)
			}
		case "sys_enter_rt_sigreturn":
			end("P-5 handler", e.TID, e.Time)
		}
	}
	// A tid is not used again while its last owner can still switch, so the death after an exit is that thread's.
	for _, e := range w.switches {
		if e.Dead {
			end("P-9 exit", e.TID, e.Time)
		}
	}
	return all
}

// checkLives compares thread by thread when it was born and when it died. Between two programs on one tracepoint there can be an
// interrupt, so a few may be far off.
func (w *truth) checkLives(t *testing.T) {
	t.Helper()
	births, deaths := map[int32][]int64{}, map[int32][]int64{}
	for _, e := range w.trace {
		if child, ok := e.Int("pid"); ok && e.Name == "task_newtask" {
			births[int32(child)] = append(births[int32(child)], e.Time)
		}
	}
	for _, e := range w.switches {
		if e.Dead {
			deaths[e.TID] = append(deaths[e.TID], e.Time)
		}
	}
	for _, c := range []struct {
		name string
		want map[int32][]int64
		got  func(report.Thread) *int64
	}{
		{"birth", births, func(th report.Thread) *int64 { return th.StartNS }},
		{"death", deaths, func(th report.Thread) *int64 { return th.ExitNS }},
	} {
		var off []int64
		for _, th := range w.report.Threads {
			at := c.got(th)
			if at == nil {
				continue
			}
			if len(c.want[th.TID]) == 0 {
				t.Errorf("thread %d: %s at %d, which nobody else has seen", th.TID, c.name, *at)
				continue
			}
			near := int64(1 << 62)
			for _, want := range c.want[th.TID] { // a tid may have been used again
				near = min(near, abs(*at-want))
			}
			off = append(off, near)
		}
		slices.Sort(off)
		if len(off) < 50 || off[len(off)*95/100] > 5000 {
			t.Errorf("%s: of %d threads, one in twenty is more than %d ns off", c.name, len(off), off[len(off)*95/100])
		}
		t.Logf("%s: %d threads, median %d ns off, 95 %% less than %d, all less than %d", c.name, len(off), off[len(off)/2], off[len(off)*95/100], off[len(off)-1])
	}
}
