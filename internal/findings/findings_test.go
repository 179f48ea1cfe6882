package findings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
)

const second = int64(1e9)

func ptr[T any](v T) *T { return &v }

// healthy is the Result of some seconds of a program with GOMAXPROCS 4 whose threads all have
// something to do: sysmon, the template thread, five workers, and a pinned one that gets work now
// and then.
func healthy(seconds int64) *correlate.Result {
	r := &correlate.Result{Start: 5e9, End: 5e9, Counts: correlate.Counts{
		Threads: 9, ThreadsExitedLocked: ptr(uint64(0)), LockedThreads: ptr(uint64(1)), LockedThreadsMax: ptr(uint64(1)),
		SigurgSent: ptr(uint64(100 * seconds)), SigurgGenerated: uint64(100 * seconds),
		SigurgDelivered: uint64(100 * seconds)}}
	for range seconds {
		r.End += 1e9
	}
	roles := []string{"main", "sysmon", "template", "worker", "worker", "worker", "worker", "worker", "worker"}
	for i, role := range roles {
		r.Threads = append(r.Threads, busy(int32(100+i), role, seconds))
	}
	for i := range r.Threads[1:3] { // sysmon looks every 10 ms, and the template thread has nothing to do
		t := &r.Threads[1+i]
		t.Switches, t.Run = uint64(100*seconds), seconds*second/1000
		t.Blocked = seconds*second - t.Run - t.Runq
	}
	pin := &r.Threads[8]
	pin.Lock = correlate.ThreadLock{State: "user", Ext: 1, MaxExt: 1, GoID: 20, Entry: "example.com/app/gl.(*Loop).run",
		Parked: true, HeldMin: seconds * second}
	pin.Handoff = correlate.Handoff{N: uint64(60 * seconds), WakeNS: 60 * seconds * 12_000, CPUNS: 60 * seconds * 4_000}
	r.Causes = []correlate.Cause{{What: "preempt", Cause: "gc_stack_scan", N: uint64(100 * seconds)}}
	return r
}

func busy(tid int32, role string, seconds int64) correlate.Thread {
	all := seconds * second
	return correlate.Thread{TID: tid, Role: role, Run: all / 4, Runq: all / 1000, Blocked: all - all/4 - all/1000,
		Switches: uint64(1000 * seconds), CPUs: []int{0, 1, 2, 3}, Lock: correlate.ThreadLock{State: "none"}}
}

// asleep is a thread that did nothing.
func asleep(tid int32, role, lock string, seconds int64) correlate.Thread {
	return correlate.Thread{TID: tid, Role: role, Blocked: seconds * second, Lock: correlate.ThreadLock{State: lock}}
}

var about = About{GOMAXPROCS: 4}

// samples is a cost of n samples of ns.
func samples(id, phase, cause string, n int, ns int64) correlate.Cost {
	c := correlate.Cost{ID: id, Phase: phase, Population: correlate.Population{Cause: cause}}
	for range n {
		c.Hist.Add(ns)
	}
	return c
}

func find(r *correlate.Result, a About) []Finding {
	found, _ := Find(r, a)
	return found
}

func lose(r *correlate.Result) { r.Loss.ByKind = map[string]uint64{"switch": 1} }

// scenario is a window and all findings in it, as "id severity".
type scenario struct {
	name    string
	seconds int64
	edit    func(r *correlate.Result, a *About)
	want    []string
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	for _, s := range scenarios {
		r, a := healthy(s.seconds), about
		s.edit(r, &a)
		fs := find(r, a)
		var got []string
		for _, f := range fs {
			got = append(got, f.ID+" "+f.Severity)
		}
		if !slices.Equal(got, s.want) {
			t.Errorf("%s: found %q, want %q\n%+v", s.name, got, s.want, fs)
		}
		for _, f := range fs {
			sound(t, s.name, f)
		}
	}
}

var snake = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// sound checks what must be true of every finding.
func sound(t *testing.T, name string, f Finding) {
	t.Helper()
	if !regexp.MustCompile(`[0-9]`).MatchString(f.Message) || f.Advice == "" {
		t.Errorf("%s: message without a number, or no advice: %q, %q", name, f.Message, f.Advice)
	}
	for _, s := range []string{f.Message, f.Advice} {
		if strings.Contains(s, "%!") || strings.Contains(s, "NaN") || strings.Contains(s, "Inf") ||
			strings.HasSuffix(s, ".") || strings.Contains(s, "e+") {
			t.Errorf("%s: ill-formed: %q", name, s)
		}
	}
	for key := range f.Evidence {
		if !snake.MatchString(key) {
			t.Errorf("%s: evidence %q", name, key)
		}
	}
	once, err := json.Marshal(f.Evidence)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var back map[string]any
	if err := json.Unmarshal(once, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(back); err != nil || !bytes.Equal(again, once) {
		t.Errorf("%s: evidence changes when it is read back: %s, %s", name, once, again)
	}
}

func TestHealthyProgram(t *testing.T) {
	var scenarios []scenario
	for _, seconds := range []int64{1, 5, 60, 3600} {
		scenarios = append(scenarios,
			scenario{name: fmt.Sprint(seconds, " s"), seconds: seconds, edit: func(*correlate.Result, *About) {}})
	}
	run(t, scenarios)
	nothing := &correlate.Result{Counts: correlate.Counts{ThreadsExitedLocked: ptr(uint64(1000))}}
	if fs := find(nothing, About{}); fs != nil {
		t.Errorf("found in a window of no length: %+v", fs)
	}
}

// TestUnreadableRuntime: where the runtime can't be read there is no finding about it, whatever the
// kernel counted.
func TestUnreadableRuntime(t *testing.T) {
	run(t, []scenario{{"kernel only", 60, func(r *correlate.Result, a *About) {
		*a = About{}
		r.Counts.ThreadsExited, r.Counts.ThreadsCreated, r.Counts.SigurgGenerated = 1e6, 1e6, 1e6
		r.Counts.ThreadsExitedLocked, r.Counts.LockedThreads, r.Counts.LockedThreadsMax = nil, nil, nil
		for i := range 200 {
			r.Threads = append(r.Threads, asleep(int32(1000+i), "unknown", "unknown", 60))
		}
	}, nil}})
}

// TestMostSevereFirst: the most severe come first, at most a few of a kind; the Result does not
// change.
func TestMostSevereFirst(t *testing.T) {
	build := func() *correlate.Result {
		r := healthy(20)
		r.Counts.ThreadsExitedLocked = ptr(uint64(20))
		r.Threads[0].Lock = correlate.ThreadLock{State: "wedged", Ext: 1}
		for i := range 5 {
			th := asleep(int32(1000+i), "worker", "user", 20)
			th.Lock.Parked, th.Lock.Entry = true, fmt.Sprint("main.f", i)
			r.Threads = append(r.Threads, th)
		}
		r.Sites = []correlate.Site{{Function: "b", Released: 300}, {Function: "a", Released: 400}}
		return r
	}
	r := build()
	var got []string
	for _, f := range find(r, about) {
		got = append(got, f.ID)
	}
	want := []string{"wedged-m0", "exit-while-locked-churn", "per-request-pinning", "per-request-pinning", "leaked-pin",
		"leaked-pin", "leaked-pin"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if !reflect.DeepEqual(r, build()) {
		t.Error("Find changed the Result")
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{goroutineOf("a/b.(*T[c/d]).run.func1"), "b.(*T[c/d]).run.func1"}, {function("a/b.f"), "b.f"},
		{goroutineOf("runtime.main"), "the main goroutine"}, {function("runtime.main"), "main.main or an init function"},
		{goroutineOf("a/b.f.gowrap12"), "a goroutine that b.f starts"}, {function("a/b.f·dwrap·3"),
			"the goroutine that b.f starts"},
		{goroutineOf(""), "a goroutine whose function is not known"}, {function(""), "the goroutine's function"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
