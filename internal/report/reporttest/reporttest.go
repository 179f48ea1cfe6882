// Package reporttest makes reports, lists of threads and verdicts for the tests of every format.
package reporttest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
)

// Ptr returns a pointer to v.
func Ptr[T any](v T) *T { return &v }

// Around fills a cost with n samples spread log-normally around median ns; the same every time.
func Around(c correlate.Cost, n int, median, spread float64) correlate.Cost {
	rng := rand.New(rand.NewPCG(7, uint64(median)))
	for range n {
		c.Hist.Add(int64(median * math.Exp(spread*rng.NormFloat64())))
	}
	return c
}

// Rich is a busy window: every statement has samples, one is above its range, bounds disagree on
// another.
func Rich() *correlate.Result {
	bounds := []string{"the signal frame and sigreturn are invisible to tracepoints: true costs are higher"}
	locked, unlocked := correlate.Population{Locked: "true"}, correlate.Population{Locked: "false"}
	r := &correlate.Result{
		Start: 1_000e9, End: 1_005e9,
		Counts: correlate.Counts{Threads: 23, ThreadsCreated: 118, ThreadsExited: 114, ThreadsKilled: 0,
			SigurgSent: Ptr[uint64](612), SigurgGenerated: 614,
			SigurgCoalesced: 1, SigurgDelivered: 610, SigurgForeign: 2, SigurgNotInjected: Ptr(uint64(35)),
			ThreadsExitedLocked: Ptr(uint64(110)), LockedThreads: Ptr(uint64(4)), LockedThreadsMax: Ptr(uint64(9)),
			Switches: 184_203, Migrations: 1834},
		Loss: correlate.Loss{ByKind: map[string]uint64{"switch": 0, "clone": 0}},
		Costs: []correlate.Cost{
			Around(correlate.Cost{ID: "P-5", Phase: "send", OffCPU: Ptr(12.0),
				Bias: Ptr(890.0)}, 612, 1_400, 0.3),
			Around(correlate.Cost{ID: "P-5", Phase: "deliver"}, 610, 8_000, 1.8),
			Around(correlate.Cost{ID: "P-5", Phase: "deliver", Population: correlate.Population{State: "on_cpu"}}, 330,
				2_100, 0.4),
			Around(correlate.Cost{ID: "P-5", Phase: "deliver", Population: correlate.Population{State: "runnable"}},
				271, 1.2e6, 0.9),
			Around(correlate.Cost{ID: "P-5", Phase: "deliver", Population: correlate.Population{State: "blocked"}}, 9,
				41_000, 0.3),
			Around(correlate.Cost{ID: "P-5", Phase: "deliver", Population: locked}, 41, 9_000, 1.8),
			Around(correlate.Cost{ID: "P-5", Phase: "deliver", Population: unlocked}, 560, 8_000, 1.8),
			Around(correlate.Cost{ID: "P-5", Phase: "deliver", Population: correlate.Population{Locked: "unknown"}}, 9,
				8_000, 1.8),
			Around(correlate.Cost{ID: "P-5", Phase: "handler"}, 610, 3_900, 0.35),
			Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "lower", Warnings: bounds}, 612, 1_400, 0.3),
			Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "upper", Warnings: bounds}, 330, 3_300, 0.4),
			Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "upper", Population: locked}, 30, 4_100, 0.4),
			Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "upper", Population: unlocked}, 300, 3_200, 0.4),
			Around(correlate.Cost{ID: "P-5", Phase: "kernel", Bound: "upper",
				Population: correlate.Population{State: "on_cpu"}}, 330, 3_300, 0.4),
			Around(correlate.Cost{ID: "P-6", Phase: "resume"}, 41, 24_000, 0.7),
			Around(correlate.Cost{ID: "P-6", Phase: "resume", Population: locked}, 41, 24_000, 0.7),
			Around(correlate.Cost{ID: "P-6", Phase: "resume", Population: correlate.Population{Cause: "sysmon_retake"}},
				30, 25_000, 0.7),
			Around(correlate.Cost{ID: "P-6", Phase: "resume", Population: correlate.Population{Cause: "gc_stack_scan"}},
				11, 22_000, 0.7),
			Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall", OffCPU: Ptr(820.0),
				Bias: Ptr(47_869. / 118)}, 118, 31_000, 0.45),
			Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall",
				Population: correlate.Population{Cause: "locked_park"}}, 96, 33_000, 0.45),
			Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall",
				Population: correlate.Population{Cause: "spinning_wake"}}, 3, 30_000, 0.45),
			Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall",
				Population: correlate.Population{Cause: "start_the_world"}}, 14, 29_000, 0.45),
			Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall",
				Population: correlate.Population{Cause: "syscall_handoff"}}, 4, 30_000, 0.45),
			Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall",
				Population: correlate.Population{Cause: "unknown"}}, 1, 31_000, 0.45),
			Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall", Population: unlocked}, 118, 31_000, 0.45),
			Around(correlate.Cost{ID: "P-8", Phase: "spawn"}, 118, 74_000, 0.8),
			Around(correlate.Cost{ID: "P-8", Phase: "runq_wait"}, 118, 39_000, 1.1),
			Around(correlate.Cost{ID: "P-8", Phase: "start"}, 117, 21_000, 0.4),
			Around(correlate.Cost{ID: "P-8", Phase: "total", Unfinished: 1}, 117, 103_000, 0.7),
			Around(correlate.Cost{ID: "P-9", Phase: "runtime"}, 114, 6_200, 0.5),
			Around(correlate.Cost{ID: "P-9", Phase: "exit", OffCPU: Ptr(0.0)}, 114, 43_000, 0.5),
			Around(correlate.Cost{ID: "P-9", Phase: "exit", Population: correlate.Population{Cause: "locked"}}, 110,
				44_000, 0.5),
			Around(correlate.Cost{ID: "P-9", Phase: "exit", Population: correlate.Population{Cause: "other"}}, 4,
				21_000, 0.5),
			Around(correlate.Cost{ID: "P-9", Phase: "free", Unfinished: 6}, 108, 17e6, 0.4),
			Around(correlate.Cost{ID: "X-handoff", Phase: "wake"}, 40_112, 5_200, 0.6),
			Around(correlate.Cost{ID: "X-handoff", Phase: "cpu", Bound: "lower"}, 40_100, 3_400, 0.4),
		},
		Moves: correlate.Moves{ByWhy: map[string]uint64{"wakeup": 1702, "balance": 132, "affinity": 0},
			ByDistance: map[string]uint64{"smt": 211, "llc": 1400, "node": 180, "remote": 43}},
	}
	for i := range 23 {
		run := int64(2.4e9) / int64(i+1)
		r.Threads = append(r.Threads, correlate.Thread{TID: int32(4242 + i), Name: "renderd",
			CreatedBy: int32(min(i, 1) * 4242),
			Switches:  uint64(184_203 / (i*i + 2)), Migrations: uint64(900 / (i + 2)), Run: run, Runq: run / 40,
			Blocked: 5e9 - run - run/40,
			CPUs:    []int{i % 16}})
	}
	r.Threads[3].Name, r.Threads[3].StartedAt = "render-worker-0", 1_001e9
	r.Threads[5].ExitedAt = 1_002e9
	r.Threads[7].StartedAt, r.Threads[7].ExitedAt = 1_001e9, 1_002e9
	r.Threads[0].CPUs = []int{0, 1, 2, 3, 7, 8, 9, 12, 13, 15}
	pinned(r)
	return r
}

// pinned adds facts from the runtime's memory: roles, locks of every state, causes, sites.
func pinned(r *correlate.Result) {
	for i := range r.Threads {
		t := &r.Threads[i]
		t.Role, t.M, t.Lock = "worker", Ptr(int64(i)), correlate.ThreadLock{State: "none"}
	}
	t := r.Threads
	t[0].Role = "main"
	t[0].Lock = correlate.ThreadLock{State: "wedged", Ext: 1, MaxExt: 1, HeldMin: 5e9}
	t[1].Role, t[2].Role = "sysmon", "template"
	t[3].Cause, t[3].CauseFunction = "locked_park", "example.com/render/worker.(*Pool).run"
	t[3].Lock = correlate.ThreadLock{State: "user", Ext: 2, MaxExt: 3, GoID: 34,
		Entry: "example.com/render/worker.(*Pool).run.func1", Parked: true,
		HeldMin: 3.9e9, HeldMax: Ptr(int64(4e9)), Holds: 1,
		Sites: []string{"worker.(*Pool).run (/src/render/worker/pool.go:41)"}}
	t[3].Handoff = correlate.Handoff{N: 30_000, WakeNS: 30_000 * 5_100, CPUNS: 30_000 * 3_300}
	t[4].Lock = correlate.ThreadLock{State: "user", Ext: 1, MaxExt: 1, GoID: 1_234_567,
		Entry:   "example.com/render/db.Map[go.shape.struct { a/b.C }].loop",
		HeldMin: 5e9}
	t[4].Handoff = correlate.Handoff{N: 10_112, WakeNS: 10_112 * 5_500, CPUNS: 10_112 * 3_700}
	t[5].Lock = correlate.ThreadLock{State: "exiting", Ext: 1, MaxExt: 1, Entry: "main.render.gowrap1", HeldMin: 2e6,
		HeldMax: Ptr(int64(3e6))}
	t[6].Lock = correlate.ThreadLock{State: "runtime", Int: 1, GoID: 3}
	t[7].Lock = correlate.ThreadLock{State: "unknown"}
	t[8].Role, t[8].M, t[8].Lock = "foreign", nil, correlate.ThreadLock{State: "unknown"}
	r.Locks = correlate.LockView{Observations: 369_204, Unknown: 511}
	r.Causes = []correlate.Cause{
		{What: "create", Cause: "locked_park", Function: "example.com/render/worker.(*Pool).run", N: 90},
		{What: "create", Cause: "locked_park", Function: "main.init.0", N: 4},
		{What: "create", Cause: "locked_park", Function: "main.render", N: 2},
		{What: "create", Cause: "start_the_world", Reason: "GC mark termination", Function: "main.render", N: 14},
		{What: "create", Cause: "syscall_handoff", N: 4},
		{What: "create", Cause: "spinning_wake", N: 3},
		{What: "create", Cause: "unknown", N: 1},
		{What: "exit", Cause: "locked", N: 110},
		{What: "exit", Cause: "other", N: 4},
		{What: "preempt", Cause: "gc_stack_scan", Function: "main.render", N: 390},
		{What: "preempt", Cause: "sysmon_retake", N: 200},
		{What: "preempt", Cause: "stop_the_world", Reason: "GC mark termination", N: 19},
		{What: "preempt", Cause: "other", N: 3},
	}
	r.Unclassified = []correlate.Stack{{What: "preempt", N: 3,
		Frames: []string{"runtime.tgkill", "runtime.signalM", "main.strange"}}}
	r.Sites = []correlate.Site{
		{Function: "example.com/render/worker.(*Pool).run", File: "/src/render/worker/pool.go", Line: 41,
			Stack: []string{"worker.(*Pool).run (/src/render/worker/pool.go:41)",
				"runtime.goexit (/go/src/runtime/asm_amd64.s:1700)"},
			Calls: 112, Outer: 110, Released: 109, Held: 1, HeldMin: 109 * 1.9e6, HeldMax: 109 * 2.1e6},
		{Function: "main.init.0", File: "/src/render/main.go", Line: 9, Calls: 1, Outer: 1, Held: 1},
	}
}

// Idle is a window in which the target slept.
func Idle() *correlate.Result {
	r := &correlate.Result{Start: 50e9, End: 55e9,
		Counts: correlate.Counts{Threads: 3, SigurgSent: Ptr(uint64(0)), ThreadsExitedLocked: Ptr(uint64(0)),
			LockedThreads: Ptr(uint64(0)), LockedThreadsMax: Ptr(uint64(0))},
		Locks: correlate.LockView{Observations: 2}}
	for _, c := range Rich().Costs {
		r.Costs = append(r.Costs, correlate.Cost{ID: c.ID, Phase: c.Phase, Population: c.Population, Bound: c.Bound})
	}
	for i := range 2 {
		r.Threads = append(r.Threads, correlate.Thread{TID: int32(77 + i), Name: "sleeper", Blocked: 5e9,
			Role: "worker",
			M:    Ptr(int64(i)), Lock: correlate.ThreadLock{State: "none"}})
	}
	r.Threads = append(r.Threads, correlate.Thread{TID: 79, Name: "iou-wrk-77", Blocked: 5e9, Role: "io_worker",
		Lock: correlate.ThreadLock{State: "none"}})
	return r
}

// Legion is idle, in a process with 100,000 threads, after many short ones.
func Legion() *correlate.Result {
	r := Idle()
	r.Sleepers = correlate.Sleepers{N: 99_997}
	r.Counts.Threads += r.Sleepers.N
	r.ThreadsOmitted, r.Counts.ThreadsKilled = 12_345, 13_345
	return r
}

// Lossy is rich with a ring buffer and a table of threads that were too small.
func Lossy() *correlate.Result {
	r := Rich()
	r.Loss = correlate.Loss{ByKind: map[string]uint64{"switch": 12_345, "wakeup": 678, "clone": 3}, Late: 4,
		Skipped: map[string]uint64{"sys_enter_exit": 1}, Untracked: 2, UntrackedTurns: 35, BrokenLinks: 911}
	for i := range r.Costs {
		if id := r.Costs[i].ID; id == "P-8" || id == "P-9" {
			r.Costs[i].Bound = "lower"
			r.Costs[i].Warnings = append(r.Costs[i].Warnings,
				"678 wakeup records lost: samples are missing, n is a lower bound")
		}
	}
	r.Warnings = []string{"the ring buffer was too small for this target: raise --ring"}
	return r
}

// Skipped is Rich on a preemptible kernel, which has skipped runs of programs.
func Skipped() *correlate.Result {
	r := Rich()
	r.Loss = correlate.Loss{Skipped: map[string]uint64{"sys_enter_exit": 90, "sys_exit_clone": 2}}
	r.WarnOfMissing()
	return r
}

// Uncalibrated is Rich without a calibration.
func Uncalibrated() *correlate.Result {
	r := Rich()
	for i := range r.Costs {
		r.Costs[i].Bias = nil
	}
	return r
}

// Light is Rich without any hook on a system call.
func Light() *correlate.Result {
	r := Rich()
	r.Counts.SigurgSent, r.Counts.SigurgNotInjected, r.Counts.ThreadsExitedLocked = nil, nil, nil
	r.Costs = slices.DeleteFunc(r.Costs, func(c correlate.Cost) bool {
		return !slices.Contains([]string{"runq_wait", "free", "deliver", "wake", "cpu"}, c.Phase)
	})
	r.Warnings = []string{"no system call was watched (light)"}
	return r
}

// Crowd is 300 threads in a process that dies while it is observed.
func Crowd() *correlate.Result {
	r := &correlate.Result{Start: 9e9, End: 10.5e9,
		Counts: correlate.Counts{Threads: 0, ThreadsCreated: 3, ThreadsExited: 2, ThreadsKilled: 301,
			SigurgSent: Ptr(uint64(0)), Switches: 1_234_567, Migrations: 98_765},
		Moves: correlate.Moves{ByWhy: map[string]uint64{"wakeup": 98_765},
			ByDistance: map[string]uint64{"unknown": 98_765}},
		Causes: []correlate.Cause{{What: "create", Cause: "unknown", N: 3}, {What: "exit", Cause: "unknown", N: 2}},
		Costs: []correlate.Cost{
			Around(correlate.Cost{ID: "P-8", Phase: "clone_syscall", Unfinished: 0}, 3, 30_000, 0.1),
			Around(correlate.Cost{ID: "P-9", Phase: "exit", Unfinished: 1}, 1, 20_000, 0.1),
		}}
	for i := range 300 {
		run := int64(1.5e9) / int64(100+i*7%300)
		r.Threads = append(r.Threads, correlate.Thread{TID: int32(4_194_000 - i),
			Name: fmt.Sprintf("wörker/%d:\x1b[31m", i), CreatedBy: 4_193_000,
			Switches: uint64(4115 + i), Migrations: uint64(329), Run: run, Runq: 3 * run, Unknown: run,
			Blocked:  1.5e9 - 5*run,
			ExitedAt: 10.4e9, CPUs: []int{0, 1, 3, 5, 7, 9, 11, 13, 15}})
	}
	return r
}
