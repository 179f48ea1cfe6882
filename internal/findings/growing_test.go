package findings

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
)

// pinned adds n threads that a goroutine each has pinned in the window, evenly from one part of it to
// another, and has not let go.
func pinned(n int, from, to float64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, a *About) {
		a.Limits = []Limit{{"the runtime's", 10_000, 100}, {"pids.max", 1_000, 400}, {"no limit", 0, 7}}
		length := r.End.Sub(r.Start)
		r.Counts.ThreadsCreated += uint64(n)
		r.Counts.Threads += uint64(n)
		for i := range n {
			began := int64(length.Seconds() * 1e9 * (from + (to-from)*(float64(i)+0.5)/float64(n)))
			th := asleep(int32(1000+i), "worker", "user", 0)
			th.StartedAt = r.Start + events.Time(began)
			th.Blocked = int64(length) - began
			th.Lock = correlate.ThreadLock{State: "user", Ext: 1, MaxExt: 1, GoID: uint64(50 + i), Entry: "main.session",
				Parked: true, Holds: 1, HeldMin: int64(length) - began}
			r.Threads = append(r.Threads, th)
		}
	}
}

func TestPinsGrowing(t *testing.T) {
	warn, fail := []string{"pins-growing warn"}, []string{"pins-growing error"}
	run(t, []scenario{
		{"in a short window", 5, pinned(24, 0, 1), fail},
		{"slowly", 3600, pinned(24, 0, 1), warn},
		{"too few", 5, pinned(growPins-1, 0, 1), nil},
		{"a pool of workers that starts", 5, pinned(19, 0, 0.7), nil},
		{"they are let go", 5, func(r *correlate.Result, a *About) {
			pinned(24, 0, 1)(r, a)
			r.Threads[3].Lock = correlate.ThreadLock{State: "none", MaxExt: 1, Holds: 3, Entry: "main.session"}
			r.Counts.ThreadsCreated = 0
		}, nil},
		{"the runtime's", 5, func(r *correlate.Result, a *About) {
			pinned(24, 0, 1)(r, a)
			for i := range r.Threads {
				r.Threads[i].Lock.State = "runtime"
			}
			r.Counts.ThreadsCreated = 0
		}, nil},
		{"the limit is not known", 5, func(r *correlate.Result, a *About) { pinned(24, 0, 1)(r, a); a.Limits = nil }, warn},
		{"before what costs", 10, func(r *correlate.Result, a *About) {
			handed(200_000, 10_000, 4_000)(r, a)
			pinned(24, 0, 1)(r, a)
			a.Limits = nil
		}, []string{"pins-growing warn", "pinned-handoff-hot-spot warn"}},
	})
	r, a := healthy(5), about
	pinned(24, 0, 1)(r, &a)
	r.Threads[9].Lock.Sites = []string{"main.session (main.go:10)"}
	f := find(r, a)[0]
	const want = "main.session pins thread after thread and lets none go: 24 more in 5 s (4.8 per s), 24 held now; " +
		"the nearest limit is 1000 threads, reached in 2m at this rate (pids.max, 400 in use)"
	if f.Message != want || f.Evidence["site"] != "main.session (main.go:10)" || f.Evidence["limit_in_s"] != 125.0 {
		t.Errorf("%s\n%v", f.Message, f.Evidence)
	}
}

// blocked adds n threads of a burst, in calls that one function made.
func blocked(n int) func(*correlate.Result, *About) {
	return func(r *correlate.Result, a *About) {
		a.Limits = []Limit{{"the runtime's", 10_000, uint64(n)}}
		a.Goroutines = map[int32]Goroutine{108: {Entry: "main.other", InCall: true}, 103: {Entry: "main.busy"}}
		r.Causes = []correlate.Cause{{What: "create", Cause: "sysmon_handoff", N: uint64(n)}}
		r.Counts.ThreadsCreated += uint64(n)
		r.Counts.Threads += uint64(n)
		for i := range n {
			th := asleep(int32(1000+i), "worker", "none", 1)
			th.StartedAt = r.Start + 1
			r.Threads = append(r.Threads, th)
			a.Goroutines[th.TID] = Goroutine{Entry: "main.blockingRead", InCall: true}
		}
	}
}

func TestThreadsGrowing(t *testing.T) {
	info, warn, fail := []string{"threads-growing info"}, []string{"threads-growing warn"},
		[]string{"threads-growing error"}
	but := func(n int, edit func(r *correlate.Result, a *About)) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) { blocked(n)(r, a); edit(r, a) }
	}
	steadily := func(r *correlate.Result, _ *About) {
		for i := range r.Threads[9:] {
			r.Threads[9+i].StartedAt = r.Start + events.Time(i)*(r.End-r.Start)/events.Time(len(r.Threads)-9)
		}
	}
	run(t, []scenario{
		{"a burst", 4, blocked(growThreads), info},
		{"fewer", 4, blocked(growThreads - 1), nil},
		{"as many ended", 4, but(100, func(r *correlate.Result, _ *About) { r.Counts.ThreadsExited = 81 }), nil},
		{"as many were killed", 4, but(100, func(r *correlate.Result, _ *About) { r.Counts.ThreadsKilled = 81 }), nil},
		{"a burst to half of the limit", 4, blocked(5000), warn},
		{"a burst to nine tenths", 4, blocked(9000), fail},
		{"it goes on, and the limit is far", 3600, but(20, steadily), warn},
		{"it goes on, and the limit is near", 4, but(20, steadily), fail},
		{"pins have their own finding", 4, pinned(24, 0, 1), []string{"pins-growing error"}},
		{"pins of many functions", 4, func(r *correlate.Result, a *About) {
			pinned(24, 0, 1)(r, a)
			for i := range r.Threads[9:] {
				r.Threads[9+i].Lock.Entry = fmt.Sprint("main.f", i)
			}
			a.Limits = nil
		}, warn},
		{"the runtime is not known", 4, func(r *correlate.Result, a *About) { blocked(30)(r, a); *a = About{} }, info},
	})
	r, a := healthy(4), about
	blocked(3000)(r, &a)
	f := find(r, a)[0]
	const want = "the process has 3000 threads more than 4 s ago (750 per s), 3009 now; the nearest limit is 10000 " +
		"threads " +
		"(the runtime's, 3000 in use); 3000 are in a system call or in C for main.blockingRead; most were made because a " +
		"thread was in a call for long and sysmon gave its P to another"
	if f.Message != want || !strings.HasPrefix(f.Advice, "in main.blockingRead and what starts it, limit") {
		t.Errorf("%s\n%s", f.Message, f.Advice)
	}

	r, a = healthy(4), about
	blocked(3000)(r, &a)
	for tid, g := range a.Goroutines { // the burst is over, main reads
		g.InCall = tid == r.Threads[9].TID
		a.Goroutines[tid] = g
	}
	f = find(r, a)[0]
	if strings.Contains(f.Message, "main.blockingRead") || !strings.HasPrefix(f.Advice, "limit") ||
		f.Evidence["function"] != nil {
		t.Errorf("one thread of 3000 in a call: %s\n%s", f.Message, f.Advice)
	}
	f = find(r, About{NotGo: true})[0]
	if f.ID != threadsGrowing || strings.Contains(f.Advice, "goroutine") || strings.Contains(f.Advice, "runtime") {
		t.Errorf("of a program without Go: %s", f.Advice)
	}
}
