package loader

import (
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Threads without room for their state lose no switch unseen, and no buffer gets the blame:
// received and untracked switches add up to the kernel's count.
func TestFullTableIsAccountedFor(t *testing.T) {
	f := flood(t, Config{ThreadEntries: 1, ThreadOverflow: 3}, 0)
	if f.untracked == 0 || f.lost != 0 || f.received+f.untracked != f.counted {
		t.Errorf("%+v", f)
	}
	t.Logf("%+v", f)
}

// More threads come and go than there is room for. The room in use stays within the limit, because
// a full table gets no insert. At the end it equals the number of entries in the kernel's table.
// Threads without room are listed as such. When there is room again, new threads get their state.
func TestRoomIsUsedAgain(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "burst", "-n", "16", "-every", "0", "-hold") // 16 threads live at once, again and again
	living := len(p.Threads())
	room := Room{Table: 1, Overflow: living + 1}
	s := attachTo(t, p.PID, Config{ThreadEntries: room.Table, ThreadOverflow: room.Overflow})
	if n := untrackedThreads(t, s); n != 0 {
		t.Fatalf("%d of %d threads without room for %+v", n, living, room)
	}
	p.Go()
	var tracked, untracked int
	alive := map[uint32]bool{}
	for deadline := time.Now().Add(time.Minute); tracked < 5 || untracked < 5; time.Sleep(time.Millisecond) {
		for _, e := range drain(t, s) {
			switch {
			case e.Kind == events.ProcessFree:
				delete(alive, e.TID)
			case e.Kind != events.NewTask:
			case alive[e.TID]:
				t.Errorf("thread %d is born twice", e.TID)
			case e.Has(events.ThreadUntracked):
				alive[e.TID] = true
				untracked++
			default:
				alive[e.TID] = true
				tracked++
			}
		}
		var used uint32
		if err := s.objs.OverflowUsed.Get(&used); err != nil {
			t.Fatal(err)
		}
		if cpus := s.Buffers.cpus; int(used) > room.Overflow+cpus { // each may be about to find it full
			t.Fatalf("%d entries in use, there is room for %d", used, room.Overflow)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d threads born with room, %d without", tracked, untracked)
		}
	}
	p.Stop()
	drain(t, s)
	var used uint32
	if err := s.objs.OverflowUsed.Get(&used); err != nil {
		t.Fatal(err)
	}
	var held uint32
	var tid uint32
	value := make([]byte, s.objs.ThreadOverflow.ValueSize())
	for all := s.objs.ThreadOverflow.Iterate(); all.Next(&tid, &value); {
		held++
	}
	if used != held {
		t.Errorf("%d entries in use, the table holds %d", used, held)
	}
	if n, err := s.Untracked(); err != nil || n < uint64(untracked) {
		t.Errorf("%d threads without room, %d were born (%v)", n, untracked, err)
	}
}

// No insert is tried into a table that is full by its count, though in truth it has room. With room
// by the count, threads have their state again.
func TestFullTableGetsNoInsert(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "churn", "-hold")
	s := attachTo(t, p.PID, Config{ThreadEntries: 1})
	p.Go()
	born := func(untracked bool) (n, others int) {
		drain(t, s)
		for deadline := time.Now().Add(time.Minute); n == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			for _, e := range drain(t, s) {
				if e.Kind != events.NewTask {
				} else if e.Has(events.ThreadUntracked) == untracked {
					n++
				} else {
					others++
				}
			}
		}
		return n, others
	}
	var used uint32
	if err := s.objs.OverflowUsed.Get(&used); err != nil {
		t.Fatal(err)
	}
	if err := s.objs.OverflowUsed.Set(uint32(1 << 30)); err != nil {
		t.Fatal(err)
	}
	if n, others := born(true); n == 0 || others > 0 {
		t.Errorf("full: %d threads without room, %d with", n, others)
	}
	if err := s.objs.OverflowUsed.Set(used); err != nil {
		t.Fatal(err)
	}
	if n, others := born(false); n == 0 || others > 0 {
		t.Errorf("not full: %d threads with room, %d without", n, others)
	}
}

func untrackedThreads(t *testing.T, s *Session) (n int) {
	t.Helper()
	for _, e := range snapshot(t, s) {
		if e.Has(events.ThreadUntracked) {
			n++
		}
	}
	return n
}

// There is room for the threads that a process has, and for half as many again whose tids follow.
func TestRoomFits(t *testing.T) {
	for _, threads := range []int{0, 1, leastThreads, leastThreads + 1, 30_000, 100_000, 1 << 17, 1<<20 + 1} {
		room := sizeRoom(threads)
		if room.Table&(room.Table-1) != 0 || room.Table < threads || room.Table+room.Overflow < threads+threads/2 {
			t.Errorf("%d threads: %+v", threads, room)
		}
		if mib := (room.Table*256 + room.Overflow*312) >> 20; threads <= 1<<17 && mib > 52 {
			t.Errorf("%d threads: %d MiB", threads, mib)
		}
	}
}
