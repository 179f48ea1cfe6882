package findings

import (
	"fmt"
	"maps"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
)

// shared restricts the pinned thread to CPU 3, where others run too, and has it wait for ns in 10
// s, over some turns.
func shared(wait int64, turns uint64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, a *About) {
		a.Affinity = map[int32][]int{}
		for i := range r.Threads {
			a.Affinity[r.Threads[i].TID] = []int{0, 1, 2, 3}
		}
		t := &r.Threads[8]
		a.Affinity[t.TID] = []int{3}
		t.CPUs, t.Runq, t.Run, t.Switches = []int{3}, wait, second, turns
	}
}

func TestPinnedThreadSharesCore(t *testing.T) {
	info, warn := []string{"pinned-thread-shares-core info"}, []string{"pinned-thread-shares-core warn"}
	but := func(edit func(r *correlate.Result, a *About)) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) { shared(2*second/10, 100)(r, a); edit(r, a) }
	}
	ran := func(ns int64) func(*correlate.Result, *About) {
		return func(r *correlate.Result, _ *About) { r.Threads[8].Run = ns }
	}
	run(t, []scenario{
		{"waits", 10, shared(second/10, 100), info},
		{"waits less than 1 % of the window", 10, shared(second/10-1, 100), nil},
		{"waits less than 5 % of the time it is ready", 10, but(ran(39 * second / 10)), nil},
		{"just 5 %", 10, but(ran(38 * second / 10)), info},
		{"many wake-ups that are quick", 10, shared(second/10, 2001), nil},
		{"just not quick", 10, shared(second/10, 2000), info},
		{"others ran just as long", 10, but(func(r *correlate.Result, _ *About) {
			for i := range r.Threads[:8] {
				r.Threads[i].Run = 2 * second / 10 / 8
			}
		}), info},
		{"a fifth of the time it is ready", 10, shared(second/4, 100), warn},
		{"affinity not known", 10, but(func(_ *correlate.Result, a *About) { a.Affinity = nil }), nil},
		{"no affinity set", 10, but(func(r *correlate.Result, a *About) {
			a.Affinity[r.Threads[8].TID] = []int{0, 1, 2, 3}
		}), nil},
		{"the whole process is confined", 10, but(func(r *correlate.Result, a *About) {
			a.GOMAXPROCS = 1
			for tid := range a.Affinity {
				a.Affinity[tid] = []int{3}
			}
		}), nil},
		{"has it for itself", 10, but(func(r *correlate.Result, _ *About) {
			for i := range r.Threads[:8] {
				r.Threads[i].CPUs = []int{0, 1, 2}
			}
		}), nil},
		{"others ran too little to be the reason", 10, but(func(r *correlate.Result, _ *About) {
			for i := range r.Threads[:8] {
				r.Threads[i].Run = second / 100
			}
		}), nil},
		{"not locked", 10, but(func(r *correlate.Result, _ *About) { r.Threads[8].Lock.State = "none" }), nil},
		{"ended", 10, but(func(r *correlate.Result, _ *About) { r.Threads[8].ExitedAt = 6e9 }), nil},
	})
	r, a := healthy(10), about
	shared(second/4, 100)(r, &a)
	r.Threads[1].Run = 9 * second
	f := find(r, a)[0]
	const want = "thread 108 of gl.(*Loop).run may run on CPU 3 only, where 8 other threads of the program ran too " +
		"(most of all tid 101, sysmon): it waited 250 ms for a CPU, 20 % of the time it was ready"
	if f.Message != want || f.Evidence["busiest_other_tid"] != int32(101) ||
		f.Evidence["waiting_when_ready_fraction"] != 0.2 {
		t.Errorf("%s\n%v", f.Message, f.Evidence)
	}
}

// sleepers adds n threads that did nothing, and that nothing holds.
func sleepers(n int, role, lock string, seconds int64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, a *About) {
		r.Counts.Threads += uint64(n)
		for i := range n {
			r.Threads = append(r.Threads, asleep(int32(1000+i), role, lock, seconds))
		}
		idle(a, 1000, n)
	}
}

// idle adds n workers that nothing holds.
func idle(a *About, tid int32, n int) {
	held := map[int32]Held{}
	maps.Copy(held, a.Held)
	for i := range n {
		held[tid+int32(i)] = Held{Idle: true, Worker: true}
	}
	a.Held = held
}

func TestThreadSurplus(t *testing.T) {
	info, warn := []string{"thread-surplus info"}, []string{"thread-surplus warn"}
	but := func(edit func(r *correlate.Result, a *About)) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) { sleepers(40, "worker", "none", 60)(r, a); edit(r, a) }
	}
	asleepNow := func(r *correlate.Result, a *About) { // no worker of the healthy six has anything to do
		for i := range r.Threads[:8] {
			r.Threads[i] = asleep(r.Threads[i].TID, r.Threads[i].Role, "none", 60)
			idle(a, r.Threads[i].TID, 1)
		}
	}
	// hold has function hold the first n of the sleepers.
	hold := func(n int, words string) func(r *correlate.Result, a *About) {
		return but(func(_ *correlate.Result, a *About) {
			for i := range n {
				a.Held[int32(1000+i)] = Held{Worker: true, Words: words}
			}
		})
	}
	unlisted := func(n, idlers int) func(r *correlate.Result, a *About) {
		return func(r *correlate.Result, a *About) {
			r.Sleepers = correlate.Sleepers{N: uint64(n), Workers: uint64(n)}
			idle(a, 5000, n)
			for i := range n - idlers {
				a.Held[int32(5000+i)] = Held{Worker: true, Words: "main.f in read(2)"}
			}
		}
	}
	run(t, []scenario{
		{"surplus", 60, sleepers(9, "worker", "none", 60), info},
		{"after a burst a few are normal", 60, sleepers(8, "worker", "none", 60), nil},
		{"an idle program keeps GOMAXPROCS", 60, func(r *correlate.Result, a *About) {
			asleepNow(r, a)
			sleepers(6, "worker", "none", 60)(r, a)
		}, nil},
		{"not listed", 60, unlisted(9, 9), info},
		{"not listed, in calls", 60, unlisted(40, 8), nil},
		{"not listed, what holds them is not known", 60, func(r *correlate.Result, a *About) {
			r.Sleepers = correlate.Sleepers{N: 40, Workers: 40}
			idle(a, 5000, 8)
		}, nil},
		{"in calls", 60, hold(40, "main.f in read(2)"), nil},
		{"most in calls", 60, hold(31, "main.f in read(2)"), info},
		{"too many in calls", 60, hold(32, "main.f in read(2)"), nil},
		{"what holds them was not read", 60, but(func(_ *correlate.Result, a *About) { a.Held = nil }), nil},
		{"what holds most is not known", 60, but(func(_ *correlate.Result, a *About) {
			for i := range 32 {
				delete(a.Held, int32(1000+i))
			}
		}), nil},
		{"not listed, a C library's", 60, func(r *correlate.Result, _ *About) { r.Sleepers.N = 9 }, nil},
		{"and no more", 60, func(r *correlate.Result, a *About) {
			asleepNow(r, a)
			sleepers(7, "worker", "none", 60)(r, a)
		}, info},
		{"more Ps", 60, func(r *correlate.Result, a *About) {
			sleepers(20, "worker", "none", 60)(r, a)
			a.GOMAXPROCS = 16
		}, nil},
		{"window too short", 9, sleepers(40, "worker", "none", 9), nil},
		{"just long enough", 10, sleepers(40, "worker", "none", 10), info},
		{"not near the limit", 60, sleepers(surplusWarn-10, "worker", "none", 60), info},
		{"near the limit", 60, sleepers(surplusWarn-9, "worker", "none", 60), warn},
		{"GOMAXPROCS not known", 60, but(func(_ *correlate.Result, a *About) { a.GOMAXPROCS = 0 }), nil},
		{"what they did is not known", 60, but(func(r *correlate.Result, _ *About) { lose(r) }), nil},
		{"in system calls now and then", 60, but(func(r *correlate.Result, _ *About) {
			for i := range r.Threads {
				r.Threads[i].Switches++
			}
		}), nil},
		{"new", 60, but(func(r *correlate.Result, _ *About) {
			for i := range r.Threads[9:] {
				r.Threads[9+i].StartedAt = 6e9
			}
		}), nil},
		{"ended", 60, but(func(r *correlate.Result, _ *About) {
			for i := range r.Threads[9:] {
				r.Threads[9+i].ExitedAt = 6e9
			}
		}), nil},
		{"pinned, one for each goroutine", 60, sleepers(40, "worker", "user", 60), nil},
		{"lock not known", 60, sleepers(40, "worker", "unknown", 60), nil},
		{"a C library's", 60, sleepers(40, "foreign", "none", 60), nil},
		{"lent to C", 60, sleepers(40, "cgo_extra", "none", 60), nil},
		{"role not known", 60, sleepers(40, "unknown", "none", 60), nil},
	})
	for _, c := range []struct {
		held          int
		message, list string
	}{
		{0, "40 of 49 threads are more than the program needed: it ran on 6 in these 60 s (GOMAXPROCS 4), " +
			"and 40 unlocked ones were idle all the time", "[]"},
		{25, "15 of 49 threads are more than the program needed: it ran on 6 in these 60 s (GOMAXPROCS 4), goroutines " +
			"hold 25 more that slept (25 × main.f in read(2)), and 15 unlocked ones were idle all the time",
			"[25 × main.f in read(2)]"},
	} {
		r, a := healthy(60), about
		hold(c.held, "main.f in read(2)")(r, &a)
		f := find(r, a)[0]
		if f.Message != c.message || f.Evidence["locked_threads"] != uint64(1) || f.Evidence["workers_held"] != c.held ||
			fmt.Sprint(f.Evidence["held_by"]) != c.list {
			t.Errorf("%s\n%v", f.Message, f.Evidence)
		}
	}
}
