package text

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// lockTable is 100 wide.
var lockTable = table{
	{title: "locked", width: 7},
	{title: "m", width: 4},
	{title: "goid", width: 7},
	{title: "goroutine began with", width: 23, left: true, grow: true},
	{title: "held", width: 14, left: true, spare: 2, time: true},
	{title: "depth", width: 5, spare: 3},
	{title: "goroutine", width: 9, left: true},
	{title: "woken/s", width: 7},
	{title: "wake", width: 7, spare: 1, time: true},
	{title: "cpu ≥", width: 7, spare: 4, time: true},
}

// locked lists the threads that a goroutine is locked to, or was locked to when it ended, the most
// often woken first. It ends with the share of lock states that could be read.
func (p *page) locked(r *report.Report) {
	ts := pinnedThreads(r)
	if len(ts) > 0 {
		slices.SortStableFunc(ts, func(a, b *report.Thread) int { return cmp.Compare(handoffs(b), handoffs(a)) })
		tab := p.fit(lockTable, p.width)
		p.line()
		p.line(p.header(tab)...)
		for _, t := range ts {
			p.line(p.cells(tab, func(title string) styled { return p.lockCell(tab, t, title) })...)
			if len(t.LockSites) > 0 {
				p.wrap(strings.Repeat(" ", 8), plain, strings.Repeat(" ", 8), dim,
					[]string{"at " + strings.Join(t.LockSites, ", ")})
			}
		}
		p.note(dim, "woken: hand-offs to it while its goroutine was parked", "wake: mean time until it ran",
			"cpu ≥: mean CPU time of its waker, a part of the cost of the two extra switches")
	}
	if l := r.Locks; l.Observations > 0 {
		if len(ts) == 0 {
			p.line()
		}
		p.lockedForSignals(r)
		known := unit.Percent(math.Floor(1000*(1-float64(l.Unknown)/float64(l.Observations))) / 1000) // 100 % means all
		p.field("lock state", plain, known+" of "+unit.Count(l.Observations)+" reads known",
			"can be missed: locks shorter than 100 µs, or than a gap between events of their thread")
	}
}

// lockedForSignals names the thread that the runtime itself has locked by LockOSThread.
func (p *page) lockedForSignals(r *report.Report) {
	for i := range r.Threads {
		if t := &r.Threads[i]; t.Lock == "runtime" && t.ExitNS == nil && t.LockedExt != nil && *t.LockedExt > 0 {
			p.field("Go's own", plain, fmt.Sprintf("thread %d is locked by %s, which Go starts where a program uses os/signal: "+
				"not counted as locked", t.TID, or(t.LockEntry, "the runtime")))
		}
	}
}

// pinnedThreads lists the threads that live and that a goroutine was locked to by the program, not the
// runtime.
func pinnedThreads(r *report.Report) (ts []*report.Thread) {
	for i := range r.Threads {
		t := &r.Threads[i]
		if t.ExitNS == nil && (t.Lock == "user" || t.Lock == "exiting" || t.Lock == "wedged") {
			ts = append(ts, t)
		}
	}
	return ts
}

func handoffs(t *report.Thread) uint64 {
	if t.Handoff == nil {
		return 0
	}
	return t.Handoff.N
}

func (p *page) lockCell(tab table, t *report.Thread, title string) styled {
	switch title {
	case "locked":
		return styled{fmt.Sprint(t.TID), bold}
	case "m":
		return styled{number(t.M), plain}
	case "goid":
		return styled{number(t.GoID), plain}
	case "goroutine began with":
		if t.LockEntry == nil {
			return styled{none, dim}
		}
		return styled{ending(unit.Function(*t.LockEntry), tab.of(title).width), plain}
	case "held":
		return styled{p.held(t), plain}
	case "depth":
		return styled{number(t.LockedExt), plain}
	case "goroutine":
		return styled{activity(t), plain}
	case "woken/s":
		return styled{wakeRate(t), plain}
	case "wake":
		if t.Handoff == nil || t.Handoff.WakeNS == nil {
			return styled{none, dim}
		}
		return styled{p.time(*t.Handoff.WakeNS), plain}
	}
	if t.Handoff == nil || t.Handoff.CPUNS == nil {
		return styled{none, dim}
	}
	return styled{p.time(*t.Handoff.CPUNS), plain}
}

// held writes the bounds of the time that the lock has been held.
func (p *page) held(t *report.Thread) string {
	switch {
	case t.LockHeldMin == nil:
		return none
	case t.LockHeldMax == nil:
		return p.atLeast(1e9 * *t.LockHeldMin)
	}
	return p.between(int64(1e9**t.LockHeldMin), int64(1e9**t.LockHeldMax))
}

// activity is the last known state of the locked goroutine. "in use" is running, runnable, in a
// system call or in C.
func activity(t *report.Thread) string {
	switch {
	case t.Lock != "user":
		return t.Lock
	case t.Parked == nil:
		return none
	case *t.Parked:
		return "parked"
	}
	return "in use"
}

func wakeRate(t *report.Thread) string {
	if t.Handoff == nil || t.Handoff.PerS == nil {
		return none
	}
	return unit.Scaled(*t.Handoff.PerS)
}
