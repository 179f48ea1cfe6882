package findings

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
)

func TestWedged(t *testing.T) {
	run(t, []scenario{
		{"wedged", 1, func(r *correlate.Result, _ *About) {
			r.Threads[0].Lock = correlate.ThreadLock{State: "wedged", Ext: 1}
		}, []string{"wedged-m0 warn"}},
		{"a lost record does not make it another state", 1, func(r *correlate.Result, _ *About) {
			r.Threads[0].Lock = correlate.ThreadLock{State: "wedged", Ext: 1}
			lose(r)
		}, []string{"wedged-m0 warn"}},
		{"exiting on another thread", 1, func(r *correlate.Result, _ *About) {
			r.Threads[4].Lock = correlate.ThreadLock{State: "exiting", Ext: 1}
		}, nil},
		{"main locked and alive", 1, func(r *correlate.Result, _ *About) {
			r.Threads[0].Lock = correlate.ThreadLock{State: "user", Ext: 1, GoID: 1}
		}, nil},
	})
}

func TestUnbalancedLock(t *testing.T) {
	depth := func(n uint32, state string) func(*correlate.Result, *About) {
		return func(r *correlate.Result, _ *About) { l := &r.Threads[8].Lock; l.Ext, l.MaxExt, l.State = n, n, state }
	}
	run(t, []scenario{
		{"deep", 1, depth(lockDepth, "user"), []string{"unbalanced-lock warn"}},
		{"nested libraries", 1, depth(lockDepth-1, "user"), nil},
		{"not known", 1, depth(lockDepth, "unknown"), nil},
		{"goroutine not known", 1, func(r *correlate.Result, a *About) {
			depth(lockDepth, "user")(r, a)
			r.Threads[8].Lock.GoID, r.Threads[8].Lock.Entry = 0, ""
		}, []string{"unbalanced-lock warn"}},
		{"it was deep, and was undone", 1, func(r *correlate.Result, _ *About) { r.Threads[8].Lock.MaxExt = lockDepth }, nil},
	})
}

// idlePins adds n pinned threads that are never woken, each changed by edit.
func idlePins(n int, seconds int64, edit func(*correlate.Thread)) func(*correlate.Result, *About) {
	return func(r *correlate.Result, _ *About) {
		for i := range n {
			th := asleep(int32(1000+i), "worker", "user", seconds)
			th.Lock = correlate.ThreadLock{State: "user", Ext: 1, MaxExt: 1, GoID: uint64(50 + i),
				Entry: "main.leak.func1", Parked: true, HeldMin: 2 * seconds * second}
			if edit != nil {
				edit(&th)
			}
			r.Threads = append(r.Threads, th)
		}
	}
}

func TestLeakedPin(t *testing.T) {
	info, warn := []string{"leaked-pin info"}, []string{"leaked-pin warn"}
	run(t, []scenario{
		{"idle", 10, idlePins(1, 10, nil), info},
		{"not watched for long enough", 9, idlePins(1, 9, nil), nil},
		{"one function, one finding", 10, idlePins(8, 10, nil), info},
		{"a pool at a quiet hour", 60, idlePins(leakWarnThreads, 60, nil), info},
		{"many for long", 60, idlePins(leakWarnThreads+1, 60, nil), warn},
		{"many, not for long", 59, idlePins(leakWarnThreads+1, 59, nil), info},
		{"as many as CPUs", 60, func(r *correlate.Result, a *About) { idlePins(16, 60, nil)(r, a); a.GOMAXPROCS = 16 }, info},
		{"CPUs not known", 60, func(r *correlate.Result, a *About) { idlePins(16, 60, nil)(r, a); a.GOMAXPROCS = 0 }, info},
		{"in a system call or in C", 60, idlePins(3, 60, func(th *correlate.Thread) { th.Lock.Parked = false }), nil},
		{"woken once", 60, idlePins(3, 60, func(th *correlate.Thread) { th.Handoff.N = 1 }), nil},
		{"ran", 60, idlePins(3, 60, func(th *correlate.Thread) { th.Run, th.Blocked, th.Switches = 1, th.Blocked-1, 1 }),
			nil},
		{"part of its time is not known", 60, idlePins(3, 60, func(th *correlate.Thread) {
			th.Unknown, th.Blocked = 1, th.Blocked-1
		}), nil},
		{"new", 60, idlePins(3, 60, func(th *correlate.Thread) { th.StartedAt, th.Blocked = 6e9, 59e9 }), nil},
		{"ended", 60, idlePins(3, 60, func(th *correlate.Thread) { th.ExitedAt = 60e9 }), nil},
		{"not locked", 60, idlePins(3, 60, func(th *correlate.Thread) { th.Lock.State = "none" }), nil},
		{"the runtime's", 60, idlePins(1, 60, func(th *correlate.Thread) { th.Lock.State = "runtime" }), nil},
		{"lock not known", 60, idlePins(3, 60, func(th *correlate.Thread) { th.Lock.State = "unknown" }), nil},
		{"a wake-up may have been lost", 60, func(r *correlate.Result, a *About) { idlePins(3, 60, nil)(r, a); lose(r) },
			nil},
		{"a program run was skipped", 60, func(r *correlate.Result, a *About) {
			idlePins(3, 60, nil)(r, a)
			r.Loss.Skipped = map[string]uint64{"sched_switch": 1}
		}, nil},
		{"a record came late", 60, func(r *correlate.Result, a *About) { idlePins(3, 60, nil)(r, a); r.Loss.Late = 1 }, nil},
	})

	r := healthy(20)
	r.Threads[8].Lock.Ext = lockDepth
	if f := find(r, about)[0]; f.Evidence["goid"] != uint64(20) {
		t.Errorf("%v", f.Evidence)
	}
	r = healthy(20)
	idlePins(2, 20, nil)(r, nil)
	f := find(r, about)[0]
	if want := "2 threads kept for main.leak.func1: locked, parked and never woken in 20 s"; f.Message != want {
		t.Errorf("%s", f.Message)
	}
	if f.Evidence["held_min_s"] != 40.0 || f.Evidence["threads"] != 2 {
		t.Errorf("%v", f.Evidence)
	}
	r = healthy(20)
	idlePins(1, 20, func(th *correlate.Thread) { th.Lock.Entry = mainGoroutine })(r, nil)
	f = find(r, about)[0]
	if !strings.Contains(f.Message, "the main goroutine") || !strings.Contains(f.Advice, "from main.main") {
		t.Errorf("%s\n%s", f.Message, f.Advice)
	}
}
