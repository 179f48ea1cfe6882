package findings

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
)

// handed gives the pinned goroutine n hand-offs of wake and cpu ns each.
func handed(n, wake, cpu int64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, _ *About) {
		r.Handoffs = []correlate.EntryHandoff{{Entry: r.Threads[8].Lock.Entry, Threads: []int32{108},
			Handoff: correlate.Handoff{N: uint64(n), WakeNS: n * wake, CPUNS: n * cpu}}}
	}
}

func TestHandoffHotSpot(t *testing.T) {
	info, warn := []string{"pinned-handoff-hot-spot info"}, []string{"pinned-handoff-hot-spot warn"}
	run(t, []scenario{
		{"the estimate is twice the wakers' time", 10, handed(25_000, 10_000, 4_000), info},
		{"just below", 10, handed(24_990, 10_000, 4_000), nil},
		{"slow wake-ups, because the CPUs are busy", 10, handed(20_000, 1_000_000, 4_000), nil},
		{"dear, but too few", 10, handed(hotCount-1, 10_000, 4_000_000), nil},
		{"dear, and just enough", 10, handed(hotCount, 10_000, 4_000_000), warn},
		{"just below a warning", 10, handed(62_490, 10_000, 4_000), info},
		{"warning", 10, handed(62_510, 10_000, 4_000), warn},
		{"a lower bound is enough", 10, func(r *correlate.Result, a *About) { handed(62_510, 10_000, 4_000)(r, a); lose(r) },
			warn},
		{"two functions do not add up", 10, func(r *correlate.Result, a *About) {
			handed(24_000, 10_000, 4_000)(r, a)
			other := r.Handoffs[0]
			other.Entry = "main.other"
			r.Handoffs = append(r.Handoffs, other)
		}, nil},
		{"of a function that is not known", 10, func(r *correlate.Result, a *About) {
			handed(25_000, 10_000, 4_000)(r, a)
			r.Handoffs[0].Entry = ""
		}, info},
		{"of several that are not known", 10, func(r *correlate.Result, a *About) {
			handed(25_000, 10_000, 4_000)(r, a)
			r.Handoffs[0].Entry, r.Handoffs[0].Threads = "", []int32{107, 108}
		}, nil},
	})
	r := healthy(10)
	handed(100_000, 64_000, 4_000)(r, nil)
	for i := range int64(100_000) { // a mean of 64 µs that no wake-up takes
		ns := int64(8_000)
		if i%50 == 0 {
			ns = 2_800_000
		}
		r.Handoffs[0].Wake.Add(ns)
	}
	const want = "gl.(*Loop).run is pinned and was woken 10000 times per s on 1 thread: that costs about 8 % of one CPU " +
		"(5.6 % to 12 %). Its thread runs 8.03 µs after it is woken, typically, and 1 time in 100 later than 2.8 ms"
	if f := find(r, about)[0]; f.Message != want {
		t.Errorf("%s", f.Message)
	}
}

// TestHandoffCost: 100,000 hand-offs in 10 s of 4 µs in the waker, and as much twice in the woken, and
// for each a relay of 6 µs.
func TestHandoffCost(t *testing.T) {
	cost := func(edit func(*correlate.Result, *About)) *Cost {
		r, a := healthy(10), about
		handed(100_000, 10_000, 4_000)(r, &a)
		edit(r, &a)
		return find(r, a)[0].Cost
	}
	relays := func(n int, ns int64) func(*correlate.Result, *About) {
		return func(r *correlate.Result, _ *About) {
			for range n {
				r.Handoffs[0].Relays.Add(ns)
			}
		}
	}
	near := func(name string, c *Cost, want float64) {
		t.Helper()
		if math.Abs(c.CPU/want-1) > 0.01 {
			t.Errorf("%s: %g of a CPU, want %g", name, c.CPU, want)
		}
	}
	near("no relays", cost(func(*correlate.Result, *About) {}), 0.08)
	near("relays", cost(relays(100_000, 6_000)), 0.14)
	near("a relay at work counts as no more than three parts", cost(func(r *correlate.Result, a *About) {
		relays(60_000, 6_000)(r, a)
		relays(40_000, 100_000)(r, a)
	}), 0.08+0.036+0.048)
	atWork := cost(relays(100_000, 100_000))
	near("relays that mostly work count as one part", atWork, 0.12)
	if math.Abs(atWork.Most-(0.18+0.25)) > 0.01 {
		t.Errorf("work may lose a quarter of its time to cold caches: %+v", atWork)
	}
	near("the kernel charges 2 µs more for a switch", cost(func(r *correlate.Result, a *About) {
		relays(100_000, 6_000)(r, a)
		r.Counts.Switches, r.Counts.Run = 400_000, 2*second
		a.CPU = ptr(2800 * time.Millisecond)
	}), 0.18)
	near("the part of all hand-offs where a function's own is not known", cost(func(r *correlate.Result, _ *About) {
		r.Handoffs[0].CPUNS /= 2 // of half of the wakers it is not known when they left their CPUs
		r.Costs = append(r.Costs, samples("X-handoff", "cpu", "", 1000, 4_000))
	}), 0.08)
	c := cost(func(*correlate.Result, *About) {})
	if c.Least < 0.04 || c.Least > c.CPU || c.Most < c.CPU || c.How == "" {
		t.Errorf("%+v: want at least what the wakers took", c)
	}
}

// sigurg makes n signals per second of a 10 s window, a part of them for one cause.
func sigurg(perSecond, ofCause uint64, cause, function string) func(*correlate.Result, *About) {
	return func(r *correlate.Result, _ *About) {
		c := &r.Counts
		c.SigurgSent, c.SigurgGenerated, c.SigurgDelivered = ptr(uint64(10*perSecond)), 10*perSecond, 10*perSecond
		r.Causes = []correlate.Cause{{What: "create", Cause: "spinning_wake", N: 1e6},
			{What: "preempt", Cause: cause, Function: function, N: 10 * ofCause},
			{What: "preempt", Cause: "unknown", N: 10 * (perSecond - ofCause)}}
	}
}

func TestSigurgStorm(t *testing.T) {
	info, warn := []string{"sigurg-storm info"}, []string{"sigurg-storm warn"}
	timed := func(send, handler int64) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) {
			sigurg(1000, 600, "gc_stack_scan", "main.g")(r, a)
			r.Costs = []correlate.Cost{samples("P-5", "send", "", minSamples, send),
				samples("P-5", "handler", "", minSamples, handler)}
		}
	}
	run(t, []scenario{
		{"storm", 10, sigurg(800, 500, "gc_stack_scan", ""), info},
		{"all Ps compute", 10, sigurg(799, 500, "sysmon_retake", ""), nil},
		{"GOMAXPROCS not known", 10, func(r *correlate.Result, a *About) {
			sigurg(8000, 0, "other", "")(r, a)
			a.GOMAXPROCS = 0
		}, nil},
		{"more Ps", 10, func(r *correlate.Result, a *About) { sigurg(800, 500, "other", "")(r, a); a.GOMAXPROCS = 8 }, nil},
		{"a burst of one collection", 10, func(r *correlate.Result, a *About) {
			sigurg(800, 500, "gc_stack_scan", "")(r, a)
			r.End = r.Start + 5e8
		}, nil},
		{"cheap", 10, timed(20_000, 29_900), info},
		{"only sending is timed", 10, func(r *correlate.Result, a *About) {
			timed(900_000, 0)(r, a)
			r.Costs = r.Costs[:1]
		}, info},
		{"a second is enough", 1, func(r *correlate.Result, a *About) { sigurg(80, 50, "gc_stack_scan", "")(r, a) }, info},
		{"dear", 10, timed(20_000, 30_000), warn},
		{"a lower bound is enough", 10, func(r *correlate.Result, a *About) {
			sigurg(800, 500, "gc_stack_scan", "")(r, a)
			lose(r)
		}, info},
	})
	for name, tt := range map[string]struct {
		edit            func(*correlate.Result, *About)
		message, advice string
		cause           any
	}{
		"dominant": {sigurg(1000, 600, "gc_stack_scan", "a/b.churn"),
			"; 60 % of them for the garbage collector to read stacks, most of these by b.churn", "GOGC", "gc_stack_scan"},
		"half is no ": {sigurg(1000, 500, "gc_stack_scan", "a/b.churn"), "GOMAXPROCS 4", "the line \"preempted\"", nil},
		"half of them from there": {func(r *correlate.Result, a *About) {
			sigurg(1000, 600, "stop_the_world", "main.gc")(r, a)
			r.Causes[1].N /= 2
			r.Causes = append(r.Causes, r.Causes[1])
			r.Causes[3].Function = "main.other"
		}, "; 60 % of them to stop all goroutines", "runtime/metrics", "stop_the_world"},
		"all of the collector": {func(r *correlate.Result, a *About) {
			sigurg(1000, 300, "gc_stack_scan", "main.f")(r, a)
			r.Causes = append(r.Causes, correlate.Cause{What: "preempt", Cause: "stop_the_world", Reason: "GC sweep termination",
				N: 3000})
		}, "; 60 % of them for the garbage collector", "GOGC", "garbage_collection"},
		"its stops of the world": {func(r *correlate.Result, a *About) {
			sigurg(1000, 0, "gc_stack_scan", "")(r, a)
			r.Causes = append(r.Causes, correlate.Cause{What: "preempt", Cause: "stop_the_world", Reason: "GC mark termination",
				Function: "main.f", N: 6000})
		}, "; 60 % of them for the garbage collector, most of these by main.f", "GOGC", "garbage_collection"},
		"no known cause": {sigurg(1000, 0, "gc_stack_scan", ""), "GOMAXPROCS 4", "the line \"preempted\"", nil},
		"from outside": {func(r *correlate.Result, a *About) {
			sigurg(1000, 0, "gc_stack_scan", "")(r, a)
			r.Counts.SigurgForeign = 9000
		}, "; 90 % of them from another process or the kernel", "another process", "foreign"},
	} {
		r := healthy(10)
		tt.edit(r, nil)
		fs := find(r, about)
		if len(fs) != 1 || !strings.HasSuffix(fs[0].Message, tt.message) || !strings.Contains(fs[0].Advice, tt.advice) ||
			fs[0].Evidence["cause"] != tt.cause {
			t.Errorf("%s: %+v", name, fs)
		}
	}
}
