package probe

import (
	"sort"
	"syscall"
)

// Stretch holds the samples that a goroutine took of its thread from From to To, and the checks by
// other goroutines. Before every sample of its thread the goroutine yields, sleeps, blocks or hands
// off. The first sample is at From, when the goroutine has named its thread, the last at To. The
// goroutine had its locks a little before and after that.
type Stretch struct {
	GoID  int64 `json:"goid"`
	TID   int   `json:"tid"`   // its thread at From
	Locks int   `json:"locks"` // LockOSThread calls without their UnlockOSThread, before any flag that leaves calls out
	From  int64 `json:"from_ns"`
	To    int64 `json:"to_ns"`

	Samples uint64 `json:"samples"` // of its own thread
	Moves   uint64 `json:"moves"`   // samples on another thread than the sample before
	// Strange counts samples on a thread without the name that this goroutine gave last. It then
	// named that thread again.
	Strange uint64     `json:"strange"`
	TIDs    []TIDCount `json:"tids"` // all samples, ascending

	// Checks counts the samples that other goroutines took of their threads. After each they rename
	// the thread, which Strange detects.
	Checks   uint64  `json:"checks"`
	Visits   uint64  `json:"visits"`   // checks that were on TID
	Visitors []Visit `json:"visitors"` // the first MaxVisitors visits
}

// TIDCount is how many samples were on a thread.
type TIDCount struct {
	TID int    `json:"tid"`
	N   uint64 `json:"n"`
}

// Visit is a goroutine that was on a watched thread.
type Visit struct {
	GoID int64 `json:"goid"`
	TID  int   `json:"tid"`
	At   int64 `json:"at_ns"`
}

// MaxVisitors bounds Stretch.Visitors.
const MaxVisitors = 8

// Stretch takes n samples of the thread of the calling goroutine. slot, below MaxWatched, is the
// number of its watch; no other stretch may use it at the same time.
func (o *Others) Stretch(slot, locks, n int) Stretch {
	s := Stretch{GoID: GoID(), Locks: locks}
	tids := map[int]uint64{}
	former, name := threadName(), nameOf("st", slot)
	setThreadName(&name)
	s.TID, s.From = syscall.Gettid(), Now()
	o.Watch(slot, s.TID)
	last := s.TID
	for i := 0; i < n; i++ {
		o.Stir(i)
		tid := syscall.Gettid()
		tids[tid]++
		if tid != last {
			s.Moves++
			last = tid
		}
		if threadName() != name {
			s.Strange++
			setThreadName(&name)
		}
		o.Check(s.GoID, slot)
	}
	s.Samples = uint64(n)
	s.To = Now()
	s.Checks, s.Visits, s.Visitors = o.Unwatch(slot)
	setThreadName(&former)
	s.TIDs = CountTIDs(tids)
	return s
}

// CountTIDs lists samples by thread, ascending.
func CountTIDs(tids map[int]uint64) []TIDCount {
	list := make([]TIDCount, 0, len(tids))
	for tid, n := range tids {
		list = append(list, TIDCount{TID: tid, N: n})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].TID < list[j].TID })
	return list
}
