package loader

import (
	"cmp"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// watched is a Group and the records that it has sent, by slot, in the order of their times.
type watched struct {
	*Group
	t       testing.TB
	ring    *events.Ring
	of      map[uint32]uint32 // slot by tid
	bySlot  map[uint32][]events.Event
	held    []events.Event
	orphans []events.Event // of threads that no target has
	onExec  func(*events.Event)
	ended   int // targets whose process has ended
	onEnd   func(slot uint32)
}

func openGroup(t testing.TB, cfg GroupConfig) *watched {
	t.Helper()
	testenv.Require(t, testenv.BPF)
	g, err := OpenGroup(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	ring, err := events.NewRing(g.Rings(), g.Turns(), g.CPUSlots(), g.Buffers.TurnsPerCPU)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ring.Close() })
	return &watched{Group: g, t: t, ring: ring, of: map[uint32]uint32{}, bySlot: map[uint32][]events.Event{}}
}

// add adds a running process.
func (w *watched) add(pid int) *Member {
	w.t.Helper()
	m, err := w.Add(pid)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := m.Snapshot(func(record []byte) error {
		return events.DecodeSnapshot(record, func(e *events.Event) { w.of[e.TID] = m.Slot() })
	}); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// drain empties the buffers and gives each record of the time before the call to its target.
func (w *watched) drain() {
	w.t.Helper()
	now := events.Time(w.Now())
	for until := events.Time(0); until < now; {
		d, err := w.ring.Drain(now, func(e *events.Event) {
			if e.Kind == events.Exec && w.onExec != nil {
				w.onExec(e)
			}
			w.held = append(w.held, *e)
		})
		if err != nil {
			w.t.Fatal(err)
		}
		until = d.Until
	}
	if err := w.Emptied(len(w.members)); err != nil {
		w.t.Fatal(err)
	}
	slices.SortStableFunc(w.held, func(a, b events.Event) int { return cmp.Compare(a.Time, b.Time) })
	n := 0
	for ; n < len(w.held) && w.held[n].Time < now; n++ {
		w.give(&w.held[n])
	}
	w.held = slices.Delete(w.held, 0, n)
}

func (w *watched) give(e *events.Event) {
	tid := e.TID
	switch e.Kind {
	case events.NewTask:
		if slot, known := w.of[uint32(e.Args[events.ArgParent])]; known {
			w.of[tid] = slot
		}
	case events.Exec:
		from, to := e.Args[events.ArgFromSlot], e.Args[events.ArgToSlot]
		if from != events.NoSlot {
			w.bySlot[uint32(from)] = append(w.bySlot[uint32(from)], *e)
		}
		delete(w.of, tid) // not the old tid: the old leader may have it now, and is not freed yet
		if to == events.NoSlot {
			return
		}
		w.of[tid] = uint32(to)
		if from == to {
			return
		}
	}
	slot, known := w.of[tid]
	if !known {
		w.orphans = append(w.orphans, *e)
		return
	}
	w.bySlot[slot] = append(w.bySlot[slot], *e)
	if e.Kind == events.ProcessFree {
		delete(w.of, tid)
		if w.at(slot).Tgid == tid {
			if w.ended++; w.onEnd != nil {
				w.onEnd(slot)
			}
		}
	}
}

// count counts a target's records of a kind.
func (w *watched) count(slot uint32, kind events.Kind) (n int) {
	for _, e := range w.bySlot[slot] {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// switchesBetween counts a target's switches in [from, to), by thread.
func (w *watched) switchesBetween(slot uint32, from, to int64) map[int32]uint64 {
	n := map[int32]uint64{}
	for _, e := range w.bySlot[slot] {
		if e.Kind == events.Switch && int64(e.Time) >= from && int64(e.Time) < to {
			n[int32(e.TID)]++
		}
	}
	return n
}

// sum adds counts up.
func sum(counts map[int32]uint64) (n uint64) {
	for _, of := range counts {
		n += of
	}
	return n
}

// lockedThreads counts a target's threads whose goroutine was seen locked.
func (w *watched) lockedThreads(slot uint32) int {
	locked := map[uint32]bool{}
	for _, e := range w.bySlot[slot] {
		if e.Kind == events.Lock && e.Flags == events.LockUser {
			locked[e.TID] = true
		}
	}
	return len(locked)
}

func setRuntimeOf(t testing.TB, m *Member) {
	t.Helper()
	rt, err := goruntime.Open(m.Target.PID, goruntime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	if err := m.SetRuntime(RuntimeOf(&rt.Info)); err != nil {
		t.Fatal(err)
	}
}

// Two targets at once: each one's births, ends, locks and switches are its own account's and the
// kernel's.
func TestTwoTargets(t *testing.T) {
	w := openGroup(t, GroupConfig{})
	churn := testenv.Workload(t, "churn", "-hold")
	pingpong := testenv.Workload(t, "pingpong", "-pairs", "2", "-hold")
	threads := len(churn.Threads())
	churn.Quiet()
	pingpong.Quiet()
	a, b := w.add(churn.PID), w.add(pingpong.PID)
	setRuntimeOf(t, a)
	setRuntimeOf(t, b)
	before, from := pingpong.QuietAt()
	churn.Go()
	pingpong.Go()
	for range 25 {
		time.Sleep(20 * time.Millisecond)
		w.drain()
	}
	pingpong.Quiesce()
	after, to := pingpong.QuietAt()
	account := churn.Quiesce()
	churn.Quiet()
	w.drain()
	switches := sum(after) - sum(before) // no thread ends
	if n := sum(w.switchesBetween(b.Slot(), from, to)); n == 0 || n+b.LostTurns() != switches {
		t.Errorf("%d switches of pingpong and %d lost, the kernel counted %d", n, b.LostTurns(), switches)
	}
	exits, births := w.count(a.Slot(), events.ProcessExit), w.count(a.Slot(), events.NewTask)
	if exits != int(account.LockedExits) || births != len(churn.Threads())-threads+exits {
		t.Errorf("%d births and %d ends of churn, want %d ends", births, exits, account.LockedExits)
	}
	if len(w.orphans) > 0 {
		t.Errorf("%d records of no target, as %v", len(w.orphans), w.orphans[0])
	}
	if n := w.lockedThreads(b.Slot()); n != 4 {
		t.Errorf("%d locked threads of pingpong, want 4", n)
	}
	for _, m := range []*Member{a, b} {
		if lost, err := m.Lost(); err != nil || lost != noneLost || m.UntrackedTurns() > 0 {
			t.Errorf("lost %v, and %d turns of threads without room (%v)", lost, m.UntrackedTurns(), err)
		}
	}
}

// BenchmarkOpenGroup measures the time to live hooks without a target.
func BenchmarkOpenGroup(b *testing.B) {
	testenv.Require(b, testenv.BPF)
	for b.Loop() {
		g, err := OpenGroup(GroupConfig{Follow: true})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := g.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// What BeforeLoad returns ends OpenGroup, and nothing is left.
func TestBeforeLoad(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	want := errors.New("not now")
	if _, err := OpenGroup(GroupConfig{BeforeLoad: func() error { return want }}); !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}
