package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// lockedShown is how many locked threads the text lists without --verbose.
const lockedShown = 20

// entryWidth is the room of the function that a goroutine began with.
const entryWidth = 23

// lockTable is 100 wide.
var lockTable = table{
	{title: "locked", width: 7},
	{title: "m", width: 4},
	{title: "goid", width: 7},
	{title: "goroutine began with", width: entryWidth, left: true},
	{title: "held", width: 14, left: true, spare: 2},
	{title: "depth", width: 5, spare: 3},
	{title: "goroutine", width: 9, left: true},
	{title: "woken/s", width: 7},
	{title: "wake", width: 7, spare: 1},
	{title: "cpu ≥", width: 7, spare: 4},
}

// locked lists the threads that a goroutine of the program's is locked to, or was when it ended, the most often woken first; and
// how well lock state was seen.
func (p *page) locked(r *Report, verbose bool) {
	var ts []*Thread
	for i := range r.Threads {
		if t := &r.Threads[i]; t.locked() && t.ExitNS == nil {
			ts = append(ts, t)
		}
	}
	if len(ts) > 0 {
		slices.SortStableFunc(ts, func(a, b *Thread) int { return cmp.Compare(b.handoffs(), a.handoffs()) })
		shown := ts
		if !verbose {
			shown = ts[:min(len(ts), lockedShown)]
		}
		tab := lockTable.fit(p.width)
		p.line()
		p.line(tab.header()...)
		for _, t := range shown {
			p.line(tab.cells(func(title string) span { return lockCell(t, title) })...)
			if len(t.LockSites) > 0 {
				p.wrap(strings.Repeat(" ", 8), plain, strings.Repeat(" ", 8), dim, []string{"at " + strings.Join(t.LockSites, ", ")})
			}
		}
		if n := len(ts) - len(shown); n > 0 {
			p.note(dim, unit.Plural(n, "more locked thread")+": --verbose lists all")
		}
		p.note(dim, "woken: hand-offs to it while its goroutine was parked", "wake: mean time until it ran",
			"cpu: mean CPU time of its waker, a part of what the two extra switches cost")
	}
	if l := r.Locks; l.Observations > 0 {
		if len(ts) == 0 {
			p.line()
		}
		known := unit.Percent(math.Floor(1000*(1-float64(l.Unknown)/float64(l.Observations))) / 1000) // 100 % means all
		p.field("lock state", plain, known+" of "+unit.Count(l.Observations)+" observations known",
			"locks shorter than 100 µs, or the gap between two events of a thread, can be invisible")
	}
}

// locked says whether the thread belongs to a goroutine by the program's own doing.
func (t *Thread) locked() bool { return t.Lock == "user" || t.Lock == "exiting" || t.Lock == "wedged" }

func (t *Thread) handoffs() uint64 {
	if t.Handoff == nil {
		return 0
	}
	return t.Handoff.N
}

func lockCell(t *Thread, title string) span {
	switch title {
	case "locked":
		return span{fmt.Sprint(t.TID), bold}
	case "m":
		return span{number(t.M), plain}
	case "goid":
		return span{number(t.GoID), plain}
	case "goroutine began with":
		if t.LockEntry == nil {
			return span{none, dim}
		}
		return span{ending(function(*t.LockEntry), entryWidth), plain}
	case "held":
		return span{held(t), plain}
	case "depth":
		return span{number(t.LockedExt), plain}
	case "goroutine":
		return span{t.doing(), plain}
	case "woken/s":
		return span{wakeRate(t), plain}
	case "wake":
		if t.Handoff == nil || t.Handoff.WakeNS == nil {
			return span{none, dim}
		}
		return span{unit.Duration(*t.Handoff.WakeNS), plain}
	}
	if t.Handoff == nil || t.Handoff.CPUNS == nil {
		return span{none, dim}
	}
	return span{unit.Duration(*t.Handoff.CPUNS), plain}
}

// held words the bounds of how long the lock has been held.
func held(t *Thread) string {
	switch {
	case t.LockHeldMin == nil:
		return none
	case t.LockHeldMax == nil:
		return "≥ " + unit.Duration(1e9**t.LockHeldMin)
	}
	return unit.DurationRange(int64(1e9**t.LockHeldMin), int64(1e9**t.LockHeldMax))
}

// doing is where the locked goroutine was last seen: parked, or at work, which is running, runnable, in a system call or in C.
func (t *Thread) doing() string {
	switch {
	case t.Lock != "user":
		return t.Lock
	case t.Parked == nil:
		return none
	case *t.Parked:
		return "parked"
	}
	return "at work"
}

func wakeRate(t *Thread) string {
	if t.Handoff == nil || t.Handoff.PerS == nil {
		return none
	}
	return unit.Scaled(*t.Handoff.PerS)
}

// number writes an identifier, without separators.
func number[T int32 | int64 | uint64 | uint32](v *T) string {
	if v == nil {
		return none
	}
	return fmt.Sprint(*v)
}
