package report

import (
	"cmp"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/procfs"
)

const unknown = "unknown"

// newThread is the row of one thread; seconds are the window's.
func newThread(t *correlate.Thread, seconds float64) Thread {
	row := Thread{
		TID:           t.TID,
		M:             clone(t.M),
		Name:          t.Name,
		Role:          cmp.Or(t.Role, unknown),
		Lock:          cmp.Or(t.Lock.State, unknown),
		CreatedBy:     known(t.CreatedBy),
		Cause:         known(t.Cause),
		CauseFunction: known(t.CauseFunction),
		StartNS:       known(int64(t.StartedAt)),
		ExitNS:        known(int64(t.ExitedAt)),
		Switches:      t.Switches,
		Migrations:    t.Migrations,
		RunNS:         t.Run,
		RunqNS:        t.Runq,
		BlockedNS:     t.Blocked,
		UnknownNS:     t.Unknown,
		CPUs:          append([]int{}, t.CPUs...),
	}
	row.setLock(&t.Lock)
	if row.Lock != unknown || t.Handoff.N > 0 {
		row.Handoff = newHandoff(t.Handoff, seconds)
	}
	return row
}

// setLock fills in the keys of the lock as far as they are known: none where the state is unknown,
// the depths alone where there is no lock.
func (t *Thread) setLock(l *correlate.ThreadLock) {
	if t.Lock == unknown {
		return
	}
	t.LockedExt, t.LockedInt = ptr(l.Ext), ptr(l.Int)
	t.LockDepthMax, t.LockHolds = ptr(l.MaxExt), ptr(l.Holds)
	if l.Sites != nil {
		t.LockSites = append([]string{}, l.Sites...)
	}
	if t.Lock == "none" {
		return
	}
	t.GoID, t.LockEntry = known(l.GoID), known(l.Entry)
	t.LockHeldMin = ptr(inSeconds(l.HeldMin))
	if l.HeldMax != nil {
		t.LockHeldMax = ptr(inSeconds(*l.HeldMax))
	}
	if l.GoID != 0 { // the state of an unknown goroutine is unknown
		t.Parked = ptr(l.Parked)
	}
}

func newHandoff(h correlate.Handoff, seconds float64) *Handoff {
	return &Handoff{
		N:      h.N,
		PerS:   ratio(float64(h.N), seconds),
		WakeNS: ratio(float64(h.WakeNS), float64(h.N)),
		CPUNS:  ratio(float64(h.CPUNS), float64(h.N)),
	}
}

// newSites is nil where the probe was off.
func newSites(sites []correlate.Site, seconds float64) []Site {
	if sites == nil {
		return nil
	}
	rows := make([]Site, 0, len(sites))
	for _, s := range sites {
		rows = append(rows, Site{
			Function:    s.Function,
			File:        s.File,
			Line:        s.Line,
			Stack:       append([]string{}, s.Stack...),
			Calls:       s.Calls,
			PerS:        ratio(float64(s.Calls), seconds),
			Outer:       s.Outer,
			Released:    s.Released,
			Ended:       s.Ended,
			Held:        s.Held,
			HeldMeanMin: ratio(float64(s.HeldMin), float64(s.Released)),
			HeldMeanMax: ratio(float64(s.HeldMax), float64(s.Released)),
		})
	}
	return rows
}

func inSeconds(ns int64) float64 { return float64(ns) / 1e9 }

func newCall(c *correlate.InterruptedCall, locks bool) Call {
	row := Call{Call: procfs.Syscall{Number: c.Number}.Name(), Number: c.Number, Interrupted: c.Interrupted,
		Restarted: c.Restarted, Unknown: c.Unknown, Threads: make([]ThreadCalls, 0, len(c.Threads))}
	if locks {
		row.Locked = ptr(c.InterruptedLocked)
	}
	for _, t := range c.Threads {
		row.Threads = append(row.Threads, ThreadCalls(t))
	}
	return row
}

func newDelay(d *correlate.Delay) Delay {
	row := Delay{Function: known(d.Entry), Isolated: d.Isolated, TIDs: append([]int32{}, d.Threads...), N: d.Wait.N(),
		WaitNS: d.WaitNS, P50: d.Wait.Quantile(0.5), P99: d.Wait.Quantile(0.99), Max: d.Wait.Max(),
		By: make([]DelayedBy, 0, len(d.By))}
	for _, b := range d.By {
		by := DelayedBy{What: b.What, Name: known(b.Name), N: b.N, WaitNS: b.WaitNS, Max: b.MaxNS, RanLast: b.RanLast}
		if b.What == "own_thread" {
			by.TID = known(b.ID)
		} else {
			by.PID = known(b.ID)
		}
		row.By = append(row.By, by)
	}
	return row
}
