package report_test

import (
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
)

// The keys of a lock are null where the lock is not known, and where there is none.
func TestLockNulls(t *testing.T) {
	full := correlate.ThreadLock{Ext: 2, Int: 1, MaxExt: 3, GoID: 7, Entry: "main.f", Parked: true, HeldMin: 1e9,
		HeldMax: reporttest.Ptr(int64(2e9)), Holds: 1,
		Sites: []string{}}
	for state, want := range map[string]struct{ depth, goroutine, handoff bool }{
		"":        {},
		"unknown": {},
		"none":    {depth: true, handoff: true},
		"user":    {true, true, true},
		"runtime": {true, true, true},
		"exiting": {true, true, true},
		"wedged":  {true, true, true},
	} {
		th := correlate.Thread{Lock: full}
		th.Lock.State = state
		row := report.New(report.Meta{}, &correlate.Result{End: 2e9, Threads: []correlate.Thread{th}}).Threads[0]
		if depth := row.LockedExt != nil && row.LockedInt != nil && row.LockDepthMax != nil &&
			row.LockHolds != nil; depth != want.depth {
			t.Errorf("%q: depth known = %t", state, depth)
		}
		if got := row.GoID != nil && row.LockEntry != nil && row.LockHeldMin != nil && *row.LockHeldMin == 1 &&
			row.LockHeldMax != nil &&
			*row.LockHeldMax == 2 && row.Parked != nil && *row.Parked; got != want.goroutine {
			t.Errorf("%q: goroutine known = %t", state, got)
		}
		if (row.Handoff != nil) != want.handoff || row.Handoff != nil &&
			(row.Handoff.WakeNS != nil || *row.Handoff.PerS != 0) {
			t.Errorf("%q: hand-offs %+v", state, row.Handoff)
		}
		if row.Role != "unknown" || state == "" && row.Lock != "unknown" {
			t.Errorf("%q: role %s, lock %s", state, row.Role, row.Lock)
		}
	}
}

func TestNoGoroutineIsNotParked(t *testing.T) {
	th := correlate.Thread{Lock: correlate.ThreadLock{State: "user", Ext: 1},
		Handoff: correlate.Handoff{N: 4, WakeNS: 10, CPUNS: 6}}
	row := report.New(report.Meta{}, &correlate.Result{End: 2e9, Threads: []correlate.Thread{th}}).Threads[0]
	if row.Parked != nil || row.GoID != nil || row.LockHeldMax != nil || row.LockSites != nil {
		t.Errorf("parked %v, goid %v, held at most %v, sites %v: want null", row.Parked, row.GoID, row.LockHeldMax,
			row.LockSites)
	}
	if *row.Handoff.WakeNS != 2.5 || *row.Handoff.CPUNS != 1.5 || *row.Handoff.PerS != 2 {
		t.Errorf("hand-offs: wake %g, cpu %g, per s %g", *row.Handoff.WakeNS, *row.Handoff.CPUNS, *row.Handoff.PerS)
	}
}

func TestSites(t *testing.T) {
	site := correlate.Site{Function: "main.f", Calls: 4, Outer: 4, Released: 2, Ended: 1, Held: 1, HeldMin: 10,
		HeldMax: 30}
	s := report.New(report.Meta{}, &correlate.Result{End: 2e9,
		Sites: []correlate.Site{site, {Function: "main.g"}}}).Sites
	if *s[0].PerS != 2 || *s[0].HeldMeanMin != 5 || *s[0].HeldMeanMax != 15 || s[1].HeldMeanMin != nil ||
		s[0].Released != 2 || s[0].Ended != 1 || s[0].Held != 1 ||
		s[0].Stack == nil {
		t.Errorf("%+v", s)
	}
	if s := report.New(report.Meta{}, &correlate.Result{Sites: []correlate.Site{}}).Sites; s == nil {
		t.Error("a probe that saw no call must differ from no probe")
	}
}
