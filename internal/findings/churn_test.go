package findings

import (
	"math"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/correlate/stats"
)

func exitedLocked(n uint64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, _ *About) { r.Counts.ThreadsExitedLocked = &n }
}

// churned has n threads end at 50 + 50 µs of CPU, and none replace them.
func churned(n uint64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, a *About) {
		exitedLocked(n)(r, a)
		r.Threads[2].Run, r.Threads[2].Blocked = 0, r.Threads[2].Blocked+r.Threads[2].Run
		r.Costs = []correlate.Cost{samples("P-9", "runtime", "", minSamples, 50_000),
			samples("P-9", "exit", "", minSamples, 50_000)}
	}
}

func TestChurn(t *testing.T) {
	run(t, []scenario{
		{"too few", 5, exitedLocked(churnCount - 1), nil},
		{"few but fast enough", 5, exitedLocked(churnCount), []string{"exit-while-locked-churn info"}},
		{"too slow", 60, exitedLocked(59), nil},
		{"just fast enough", 60, exitedLocked(60), []string{"exit-while-locked-churn info"}},
		{"below a warning", 10, exitedLocked(99), []string{"exit-while-locked-churn info"}},
		{"fast, of unknown cost", 10, exitedLocked(5000), []string{"exit-while-locked-churn info"}},
		{"just below a warning", 10, churned(4990), []string{"exit-while-locked-churn info"}},
		{"warning", 10, churned(5000), []string{"exit-while-locked-churn warn"}},
		{"unlocked exits", 10, func(r *correlate.Result, _ *About) { r.Counts.ThreadsExited = 1000 }, nil},
		{"a lower bound is enough", 10, func(r *correlate.Result, a *About) { churned(5000)(r, a); lose(r) },
			[]string{"exit-while-locked-churn warn"}},
	})
}

// TestChurnCost: 1,000 threads in 10 s at 30 + 20 µs to end, 5 of these off the CPU, and for half
// of them 60 + 40 µs to be replaced. The template thread made 400 of these, and ran for 34 ms. For each
// that ended, another one was woken for 6 µs, and one of them worked for 10 ms.
func TestChurnCost(t *testing.T) {
	r := healthy(10)
	r.Counts.ThreadsExitedLocked, r.Counts.ThreadsExited, r.Counts.ThreadsCreated = ptr(uint64(1000)), 1000, 500
	r.Costs = []correlate.Cost{
		samples("P-8", "clone_syscall", "", 500, 60_000), samples("P-8", "start", "", 500, 40_000),
		samples("P-9", "runtime", "", 1000, 30_000),
		samples("P-9", "exit", "", 1000, 90_000), samples("P-9", "exit", "locked", 990, 25_000),
		samples("P-9", "exit", "other", 10, 6e6),
	}
	r.Costs[4].OffCPU = ptr(5_000.0)
	r.Threads[2].Run, r.Threads[2].Blocked = 34e6, r.Threads[2].Blocked+r.Threads[2].Run-34e6
	r.Causes = append(r.Causes,
		correlate.Cause{What: "exit", Cause: "locked", Function: "a/b.f", N: 21},
		correlate.Cause{What: "exit", Cause: "locked", Function: "main.g", N: 20},
		correlate.Cause{What: "exit", Cause: "locked", N: 959},
		correlate.Cause{What: "exit", Cause: "other", Function: "main.g", N: 900},
		correlate.Cause{What: "create", Cause: "template_thread", N: 400},
		correlate.Cause{What: "create", Cause: "spinning_wake", Function: "main.g", N: 100})
	for i := range 1000 {
		ns := int64(6_000)
		if i == 0 {
			ns = 10e6
		}
		r.EndRelays.Add(ns)
	}
	f := find(r, about)[0]
	// 100 µs are measured. The template thread's clones took 24 of its 34 ms.
	each := f.Evidence["cpu_each_ns"].(float64)
	if math.Abs(each/116_000-1) > 0.01 || f.Cost.Least != 0.01 || f.Evidence["function"] != "a/b.f" {
		t.Fatalf("%+v, %+v", f, f.Cost)
	}
	const want = "100 threads/s were destroyed because their goroutine ended while locked to them (1000 in 10 s), " +
		"21 of them known to be of b.f: 116 µs of CPU each with the thread that replaces it, " +
		"about 1.16 % of one CPU (1 % to 1.74 %)"
	if f.Message != want || !strings.HasPrefix(f.Advice, "in b.f, put defer runtime.UnlockOSThread()") {
		t.Errorf("%s\n%s", f.Message, f.Advice)
	}
	r.Counts.ThreadsCreated, r.EndRelays, r.Threads[2].Run = 0, stats.Histogram{}, 0
	r.Causes = nil
	// Nothing was replaced, so creation's costs are neither charged nor missed.
	r.Costs = append(r.Costs, samples("P-9", "exit", "locked", minSamples-1, 6e6), samples("P-9", "exit", "", 50, 6e6),
		samples("P-9", "exit", "", 50, 6e6))
	// Parts along other dimensions do not count.
	r.Costs[len(r.Costs)-2].State, r.Costs[len(r.Costs)-1].Locked = "on_cpu", "true"
	r.Costs = r.Costs[2:]
	if fs := find(r, about); fs[0].Evidence["cpu_each_ns"] != 50_000.0 {
		t.Errorf("each takes %v ns, want 50,000", fs[0].Evidence["cpu_each_ns"])
	}
	r.Costs = r.Costs[:1] // no sample of the exit
	if fs := find(r, about); fs[0].Evidence["cpu_each_ns"] != nil || strings.Contains(fs[0].Message, "CPU") {
		t.Errorf("a cost out of nothing: %+v", fs)
	}
}

// TestNoMostFrequentFunction: half is not most.
func TestNoMostFrequentFunction(t *testing.T) {
	r := healthy(10)
	r.Counts.ThreadsExitedLocked = ptr(uint64(1000))
	r.Causes = append(r.Causes, correlate.Cause{What: "exit", Cause: "locked", Function: "main.f", N: 500},
		correlate.Cause{What: "exit", Cause: "locked", Function: "main.g", N: 500})
	if f := find(r, about)[0]; f.Evidence["function"] != nil || strings.Contains(f.Message, "main.") {
		t.Errorf("%+v", f)
	}
}

// holds gives four threads of a pool n locks in all that began; of these, held are still held.
func holds(n, held uint64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, _ *About) {
		for i := range uint64(4) {
			l := &r.Threads[3+i].Lock
			l.Holds, l.MaxExt, l.Entry = n/4, 1, "net/http.(*conn).serve"
			if i < held {
				l.State, l.Ext = "user", 1
			}
		}
	}
}

// waking gives the goroutines that holds are of, or one pinned for held ns, hand-offs of a tenth of a CPU.
func waking(entry string, held int64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, a *About) {
		holds(1000, 0)(r, a)
		r.Threads[7].Lock = correlate.ThreadLock{State: "user", Ext: 1, MaxExt: 1, Entry: entry, HeldMin: held}
		r.Handoffs = []correlate.EntryHandoff{{Entry: entry, Threads: []int32{7, 8},
			Handoff: correlate.Handoff{N: 100000, CPUNS: 5e8}}}
	}
}

func TestPerRequestPinning(t *testing.T) {
	released := func(n uint64) func(*correlate.Result, *About) {
		return func(r *correlate.Result, _ *About) {
			r.Sites = []correlate.Site{{Function: "example.com/app/api.handle", File: "/src/api.go", Line: 7,
				Calls: 2 * n, Outer: 2 * n, Released: n, Held: n, HeldMin: int64(n) * 1e6, HeldMax: int64(n) * 3e6}}
		}
	}
	run(t, []scenario{
		{"too few", 5, holds(pinCount-4, 0), nil},
		{"enough", 5, holds(pinCount, 0), []string{"per-request-pinning info"}},
		{"those still held do not count", 5, holds(pinCount, 1), nil},
		{"too slow", 60, holds(596, 0), nil},
		{"just fast enough", 60, holds(600, 0), []string{"per-request-pinning info"}},
		{"no hand-off", 10, holds(1000, 0), []string{"per-request-pinning info"}},
		{"hand-offs that cost", 10, waking("net/http.(*conn).serve", 0), []string{"per-request-pinning warn",
			"pinned-handoff-hot-spot warn"}},
		{"hand-offs of what stays pinned", 10, waking("main.worker", 9e9), []string{"pinned-handoff-hot-spot warn",
			"per-request-pinning info"}},
		{"the runtime's own locks", 10, func(r *correlate.Result, a *About) {
			holds(1000, 0)(r, a)
			for i := range r.Threads {
				r.Threads[i].Lock.MaxExt = 0
			}
		}, nil},
		{"a lower bound is enough", 10, func(r *correlate.Result, a *About) { holds(1000, 0)(r, a); lose(r) },
			[]string{"per-request-pinning info"}},
		{"site: too few", 5, released(pinCount - 1), nil},
		{"site: enough", 5, released(pinCount), []string{"per-request-pinning info"}},
		{"site: too slow", 60, released(599), nil},
		{"site: just fast enough", 60, released(600), []string{"per-request-pinning info"}},
		{"site: no hand-off", 5, released(500), []string{"per-request-pinning info"}},
		{"site: hand-offs that cost", 10, func(r *correlate.Result, a *About) {
			waking("", 0)(r, a)
			released(5000)(r, a)
		}, []string{"per-request-pinning warn"}},
		{"a pool that starts", 5, func(r *correlate.Result, _ *About) {
			r.Sites = []correlate.Site{{Function: "main.worker", Calls: 500, Outer: 500, Held: 500}}
		}, nil},
		{"the probe saw no site", 10, func(r *correlate.Result, a *About) {
			holds(1000, 0)(r, a)
			r.Sites = []correlate.Site{}
		}, nil},
	})

	r := healthy(5)
	released(500)(r, nil)
	f := find(r, about)[0]
	const want = "api.handle (api.go:7) pins its goroutine 100 times per s and unpins it after 1 ms to 3 ms on average" +
		"; no other thread had to wake them while they were pinned, so that costs next to nothing"
	if f.Message != want {
		t.Errorf("%s", f.Message)
	}
	if f.Evidence["pins_per_s"] != 100.0 || math.Abs(f.Evidence["held_mean_max_ns"].(float64)-3e6) > 1 {
		t.Errorf("%v", f.Evidence)
	}
	r.Sites[0].HeldMin = 0
	if f = find(r, about)[0]; !strings.Contains(f.Message, "unpins it after at most 3 ms on average") {
		t.Errorf("%s", f.Message)
	}
	r = healthy(10)
	holds(1000, 0)(r, nil)
	r.Threads[4].Lock.Entry, r.Threads[5].Lock.Entry = "", "main.rare"
	r.Threads[5].Lock.Holds--
	r.Threads[6].Lock.Holds += 2
	f = find(r, about)[0]
	if f.Evidence["function"] != "net/http.(*conn).serve" || !strings.Contains(f.Advice, "--sites") {
		t.Errorf("%+v", f)
	}
}

// Children that a thread's end signals are found from the first on; none is no finding.
func TestChildrenKilled(t *testing.T) {
	r := healthy(10)
	r.ParentDeaths = []correlate.ParentDeath{
		{Signal: 9, Function: "main.startChild", Threads: 2, Children: 3}, {Signal: 15, Threads: 1, Children: 1},
	}
	fs := find(r, about)
	if len(fs) != 1 || fs[0].ID != "children-killed-by-thread-exit" || fs[0].Severity != warn {
		t.Fatalf("%+v", fs)
	}
	const want = "4 child processes got SIGKILL in 10 s although this process goes on: 3 threads that had started them " +
		"ended; 3 of them of main.startChild"
	if fs[0].Message != want {
		t.Errorf("%q, want %q", fs[0].Message, want)
	}
	if fs = find(r, About{NotGo: true}); len(fs) != 1 || strings.Contains(fs[0].Advice, "goroutine") {
		t.Errorf("of a program without Go: %+v", fs)
	}
	r.ParentDeaths = nil
	if fs := find(r, about); len(fs) != 0 {
		t.Errorf("%+v", fs)
	}
}
