package observe

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
)

// lives are the records of one process that begins with an exec: threads that come, run and go, and maybe
// another program. Its tids are its own.
func lives(r *rand.Rand, pid, slot uint32) (records []events.Event) {
	none := uint64(events.NoSlot)
	now := events.Time(1e9) + events.Time(r.IntN(50e6))
	push := func(kind events.Kind, tid uint32, flags uint8, args ...uint64) {
		e := events.Event{Kind: kind, Time: now, TID: tid, CPU: uint16(r.IntN(4)), Flags: flags}
		copy(e.Args[:], args)
		records = append(records, e)
	}
	executes := func(from, to uint64) {
		if from != none {
			push(events.Thread, pid, events.ThreadOnCPU)
		}
		now++
		e := events.Event{Kind: events.Exec, Time: now, TID: pid}
		e.Args[events.ArgOldTID], e.Args[events.ArgExecNSTID] = uint64(pid), uint64(pid)
		e.Args[events.ArgFromSlot], e.Args[events.ArgToSlot] = from, to
		records = append(records, e)
		now++
		push(events.Thread, pid, events.ThreadOnCPU)
	}
	executes(none, uint64(slot))
	threads, next := []uint32{pid}, pid+1
	for range 20 + r.IntN(80) {
		now += events.Time(1000 + r.IntN(2e6))
		tid := threads[r.IntN(len(threads))]
		switch n := r.IntN(10); {
		case n == 0 && len(threads) < 8:
			e := events.Event{Kind: events.NewTask, Time: now, TID: next}
			e.Args[events.ArgParent], e.Args[events.ArgChildNSTID] = uint64(tid), uint64(next)
			records = append(records, e)
			threads, next = append(threads, next), next+1
		case n == 1 && tid != pid:
			push(events.ProcessExit, tid, 0)
			now += 1000
			push(events.Switch, tid, events.SwitchDead)
			now += 1000
			push(events.ProcessFree, tid, 0)
			threads = slices.DeleteFunc(threads, func(t uint32) bool { return t == tid })
		case n == 2 && len(threads) == 1 && r.IntN(3) == 0:
			executes(uint64(slot), uint64(slot+1))
			slot++
		default:
			push(events.Switch, tid, events.SwitchRun, uint64(r.IntN(1000)))
		}
	}
	return records
}

// results observes processes and returns the Results of each, in the order of its windows.
func results(t *testing.T, r *rand.Rand, processes [][]events.Event) map[int][]*correlate.Result {
	x := newHubTest(t)
	var all []events.Event
	for _, records := range processes {
		all = append(all, records...)
	}
	// The kernel side knows at once what happens; the records come as the CPUs' buffers are read.
	slices.SortStableFunc(all, func(a, b events.Event) int { return int(a.Time - b.Time) })
	for now := events.Time(1e9); len(all) > 0 || now < 15e8; now += 10e6 {
		for len(all) > 0 && all[0].Time < now {
			x.k.happen(all[0], false)
			all = all[1:]
		}
		r.Shuffle(len(x.k.records), func(i, j int) { x.k.records[i], x.k.records[j] = x.k.records[j], x.k.records[i] })
		x.at(now)
	}
	if text := x.finished(); x.strays > 0 || x.problems > 0 {
		t.Error(text)
	}
	of := map[int][]*correlate.Result{}
	for _, w := range x.windows {
		of[w.Target.PID] = append(of[w.Target.PID], w.Result)
	}
	return of
}

// The records of several targets, however they mix, give each the Results that it has alone.
func TestEachTargetAsAlone(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 18))
			var processes [][]events.Event
			for i := range uint32(8) {
				processes = append(processes, lives(r, 6_000_000+1000*i, 100*i))
			}
			together := results(t, r, processes)
			windows := 0
			for i := range processes {
				pid := 6_000_000 + 1000*i
				alone := results(t, r, processes[i:i+1])
				windows += len(alone[pid])
				if !reflect.DeepEqual(together[pid], alone[pid]) {
					t.Errorf("process %d: %d windows together, %d alone", pid, len(together[pid]), len(alone[pid]))
					for j := range min(len(together[pid]), len(alone[pid])) {
						t.Errorf("together %+v\nalone    %+v", together[pid][j].Counts, alone[pid][j].Counts)
					}
				}
			}
			if windows < len(processes) {
				t.Errorf("%d windows", windows)
			}
		})
	}
}

// The owners are those of a map that is used in the same way.
func TestOwners(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 18))
	members := []*member{nil, {}, {}, {}}
	want := map[uint32]*member{}
	var o owners
	check := func() {
		t.Helper()
		for tid := range uint32(3000) {
			if o.get(tid) != want[tid] {
				t.Fatalf("thread %d: %p, want %p", tid, o.get(tid), want[tid])
			}
		}
		if o.n != len(want) {
			t.Fatalf("%d threads, want %d", o.n, len(want))
		}
	}
	for range 20_000 {
		tid, m := uint32(r.IntN(3000)), members[r.IntN(len(members))]
		if o.set(tid, m); m != nil {
			want[tid] = m
		} else {
			delete(want, tid)
		}
	}
	check()
	for _, gone := range members[1:] {
		o.drop(func(m *member) bool { return m == gone })
		maps.DeleteFunc(want, func(_ uint32, m *member) bool { return m == gone })
		check()
	}
	if slices.ContainsFunc(o.pages, func(p *ownerPage) bool { return p != nil }) {
		t.Error("empty pages are kept")
	}
}
