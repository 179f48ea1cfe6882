package correlate

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/events"
)

// Of threads that end, the busiest stay in the list, however many come, and in intervals as in one piece; all are counted.
func TestTheBusiestAreKept(t *testing.T) {
	const born = 12 * MaxEndedThreads
	for _, cut := range []bool{false, true} {
		c := New(Config{TGID: 1})
		var results []*Result
		add := func(e events.Event) { results = append(results, c.Add(&e)...) }
		now := events.Time(1000)
		begin := events.Event{Kind: events.WindowStart, Time: now}
		if cut {
			begin.Flags = events.WindowIntervals
		}
		add(begin)
		rng := rand.New(rand.NewPCG(1, 2))
		var runs []int64
		for tid := uint32(2); tid < 2+born; tid++ {
			run := 1 + rng.Uint64N(born/2) // some as long as others
			runs = append(runs, int64(run))
			now += 10
			add(events.Event{Kind: events.NewTask, Time: now, TID: tid, Args: [8]uint64{events.ArgParent: 1, events.ArgChildNSTID: uint64(tid)}})
			now += events.Time(run)
			add(events.Event{Kind: events.ProcessExit, Time: now - 1, TID: tid})
			add(events.Event{Kind: events.Switch, Time: now, TID: tid, Flags: events.SwitchFirst | events.SwitchRun | events.SwitchOff | events.SwitchDead,
				Args: [8]uint64{events.ArgRunNS: run}})
			add(events.Event{Kind: events.ProcessFree, Time: now + 1, TID: tid})
			if cut && tid%(3*MaxEndedThreads) == 0 {
				add(events.Event{Kind: events.WindowCut, Time: now + 2})
				add(events.Event{Kind: events.WindowSettled, Time: now + 3})
			}
		}
		add(events.Event{Kind: events.WindowEnd, Time: now + 10})
		add(events.Event{Kind: events.WindowSettled, Time: now + 11})
		r := results[len(results)-1]
		slices.SortFunc(runs, func(a, b int64) int { return int(b - a) })
		var listed []int64
		for _, th := range r.Threads {
			if th.ExitedAt != 0 {
				listed = append(listed, th.Run)
			}
		}
		slices.SortFunc(listed, func(a, b int64) int { return int(b - a) })
		if r.Interval || len(listed) < MaxEndedThreads || !slices.Equal(listed[:MaxEndedThreads], runs[:MaxEndedThreads]) {
			t.Errorf("cut %v: of %d threads %d are listed, but not the busiest", cut, born, len(listed))
		}
		if n := uint64(len(listed)) + r.ThreadsOmitted; n != born || r.Counts.Switches != born || r.Counts.ThreadsKilled != born {
			t.Errorf("cut %v: %d listed or omitted, %d switches, %d ended; want %d", cut, n, r.Counts.Switches, r.Counts.ThreadsKilled, born)
		}
	}
}
