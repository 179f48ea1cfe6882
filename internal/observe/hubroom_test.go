package observe

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// Most processes that are found are no Go programs, and there may be more of them than slots: they take none
// from those that are.
func TestFindAmongMany(t *testing.T) {
	x := newHubTest(t)
	const processes, isGo = 1100, 1 << 30
	x.readProgram = func(m *member) {
		if m.o.target.PID != isGo {
			m.skip = NotGo
		}
	}
	var pids []int
	for i := range processes {
		pid := isGo + processes - 1 - i
		x.k.running[pid] = &fakeTarget{k: x.k, id: pid, slot: uint32(i)}
		pids = append(pids, pid)
	}
	x.read.find(append(pids, isGo-1)) // which has ended since
	now := events.Time(1)
	for ; (x.read.toAdd() || x.read.pending() > 0) && now < processes; now++ {
		x.at(now * events.Time(time.Millisecond))
	}
	if len(x.members) != 1 || x.members[0].o.target.PID != isGo || x.k.most > mostPending+1 {
		t.Errorf("%d targets, at most %d slots were in use", len(x.members), x.k.most)
	}
	out := x.finished()
	if n := strings.Count(out, NotGo); n != processes-1 || strings.Contains(out, "problem") {
		t.Errorf("%d processes are no Go programs, want %d: %.200s", n, processes-1, out)
	}
}

// A process that finds no room is tried again once a target has ended, and counts as one without room only if it
// ended before, or still waits at the end.
func TestRoomAgain(t *testing.T) {
	x := newHubTest(t)
	x.k.room = 1
	x.hub.cfg.Find = func() []int { return nil }
	const first, second, third, fourth = 1<<30 + 1, 1<<30 + 2, 1<<30 + 3, 1<<30 + 4
	for pid := first; pid <= fourth; pid++ {
		x.k.running[pid] = &fakeTarget{k: x.k, id: pid, slot: uint32(pid - first)}
	}
	at := func(ms int) { x.at(events.Time(ms) * events.Time(time.Millisecond)) }
	members := func(want ...int) {
		t.Helper()
		var got []int
		for _, m := range x.members {
			got = append(got, m.o.target.PID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("targets %v, want %v\n%s", got, want, &x.out)
		}
	}
	x.read.find([]int{first, second, third, fourth})
	at(1)
	at(2)
	members(first)
	if n := x.withoutRoom(1); !x.full || n != 3 {
		t.Errorf("%d processes without room, want 3", n)
	}
	x.k.running[second].ended = true // nobody knows it but the kernel
	x.dropEnded()
	x.k.running[first].ended = true
	for ms := 100; ms < 3000 && (len(x.members) == 0 || x.members[0].o.target.PID != third); ms += 50 {
		at(ms)
	}
	members(third)
	at(3100)
	if n := x.withoutRoom(2); n != 2 { // the kernel side was asked twice in vain: for second, and for fourth
		t.Errorf("%d processes without room, want 2: one ended, one waits", n)
	}
	out := x.finished()
	if n := strings.Count(out, "problem"); n != 2 || strings.Count(out, fmt.Sprintf("window %d:", third)) != 1 {
		t.Errorf("%s", out)
	}
}

// TestKinds: the same error of two processes is of one kind, and each kind has its own name.
func TestKinds(t *testing.T) {
	for want, err := range map[string]error{
		LostExec: lostExecError(7), "ended": endedError(7), "no_room": (&hub{}).errNoFiles(),
		"no_process":    fmt.Errorf("process 7: %w", loader.ErrNoProcess),
		"thread":        fmt.Errorf("process 7 %w 8: name that", loader.ErrThread),
		"not_go":        fmt.Errorf("process 7: %w: observing the kernel side only", goruntime.ErrNotGo),
		"locks_unknown": fmt.Errorf("%w: %w", errLocks, goruntime.ErrNotGo),
		"option":        &OptionError{"sites", errors.New("process 7")}, "other": errors.New("process 7"),
	} {
		if got := KindOf(err); got.ID != want || strings.Contains(got.Why, "7") {
			t.Errorf("%v is %+v, want %s", err, got, want)
		}
	}
	seen := map[string]bool{}
	for _, k := range kinds {
		if seen[k.ID] || seen[k.Why] {
			t.Errorf("%+v twice", k.Kind)
		}
		seen[k.ID], seen[k.Why] = true, true
	}
}

// What a process did that is no target is not of an unknown process, though it is judged before that is dispatched.
func TestDroppedEarly(t *testing.T) {
	x := newHubTest(t)
	x.readProgram = func(m *member) { m.skip = NotGo }
	const ms, tid = events.Time(time.Millisecond), 1<<30 + 1
	exec := events.Event{Kind: events.Exec, Time: 10 * ms, TID: tid}
	exec.Args[events.ArgFromSlot], exec.Args[events.ArgToSlot] = events.NoSlot, 3
	x.k.happen(exec, false)
	x.at(11 * ms)
	x.k.happen(events.Event{Kind: events.Switch, Time: 12 * ms, TID: tid}, false)
	for now := 13 * ms; now < 100*ms; now += ms {
		if x.at(now); len(x.members) == 0 {
			delete(x.k.slotOf, tid)
		}
	}
	if out := x.finished(); out != fmt.Sprintf("skipped %d: %s\n", tid, NotGo) {
		t.Errorf("%s", out)
	}
}
