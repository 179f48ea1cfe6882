package correlate

import (
	"errors"
	"fmt"
)

// Validate re-checks what must be true of any Result: parts sum to wholes, and nothing is counted
// twice. It shares no code with the making of the Result.
func Validate(r *Result) error {
	var errs []error
	broken := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.End < r.Start {
		broken("window ends before it starts: [%d, %d)", r.Start, r.End)
	}
	if r.Paused < 0 || r.Paused > int64(r.End-r.Start) {
		broken("stopped or frozen for %d ns of %d", r.Paused, r.End-r.Start)
	}
	validateThreads(r, broken)
	validateCosts(r, broken)
	validateCauses(r, broken)
	validateStops(r, broken)
	c := r.Counts
	if c.SigurgCoalesced+c.SigurgForeign > 2*c.SigurgGenerated {
		broken("%d coalesced and %d foreign of %d SIGURGs", c.SigurgCoalesced, c.SigurgForeign, c.SigurgGenerated)
	}
	for name, parts := range map[string]map[string]uint64{"why": r.Moves.ByWhy, "distance": r.Moves.ByDistance} {
		if n := sum(parts); n != c.Migrations {
			broken("migrations by %s sum to %d, want %d", name, n, c.Migrations)
		}
	}
	return errors.Join(errs...)
}

func sum(parts map[string]uint64) (n uint64) {
	for _, v := range parts {
		n += v
	}
	return n
}

func validateThreads(r *Result, broken func(string, ...any)) {
	var switches, migrations, alive uint64
	for _, t := range r.Threads {
		switches += t.Switches
		migrations += t.Migrations
		from, to := r.Start, r.End
		if t.StartedAt != 0 {
			from = t.StartedAt
		}
		if t.ExitedAt != 0 {
			to = t.ExitedAt
		} else {
			alive++
		}
		if min(t.Run, t.Runq, t.Blocked, t.Unknown, t.Paused, t.Throttled) < 0 {
			broken("thread %d: negative time: run %d, runq %d, blocked %d, unknown %d, paused %d, throttled %d",
				t.TID, t.Run, t.Runq, t.Blocked, t.Unknown, t.Paused, t.Throttled)
		}
		if got, want := t.Run+t.Runq+t.Blocked+t.Unknown+t.Paused+t.Throttled, int64(to-from); got != want {
			broken("thread %d: times sum to %d ns, it lived %d ns of the window", t.TID, got, want)
		}
		if t.Migrations > t.Switches+1 {
			broken("thread %d: %d migrations in %d switches", t.TID, t.Migrations, t.Switches)
		}
	}
	if alive += r.Sleepers.N; alive != r.Counts.Threads {
		broken("%d threads listed as alive or asleep, %d counted", alive, r.Counts.Threads)
	}
	if r.Sleepers.Workers > r.Sleepers.N {
		broken("%d workers of %d sleepers", r.Sleepers.Workers, r.Sleepers.N)
	}
	if r.ThreadsOmitted == 0 && (switches != r.Counts.Switches || migrations != r.Counts.Migrations) {
		broken("threads sum to %d switches and %d migrations, counted %d and %d",
			switches, migrations, r.Counts.Switches, r.Counts.Migrations)
	}
}

func validateCosts(r *Result, broken func(string, ...any)) {
	wholes := map[string]uint64{"P-8": r.Counts.ThreadsCreated, "P-9": r.Counts.ThreadsExited}
	parts := map[string]uint64{} // by row and dimension
	all := map[string]uint64{}
	for _, c := range r.Costs {
		row := c.ID + " " + c.Phase + " " + c.Bound
		n := uint64(c.Hist.N())
		switch {
		case c.Locked != "":
			parts[row+" by locked"] += n
			continue
		case c.Cause != "":
			parts[row+" by cause"] += n
			continue
		case c.State != "":
			parts[row+" by state"] += n
			continue
		}
		all[row+" by locked"], all[row+" by cause"], all[row+" by state"] = n, n, n
		if whole, ok := wholes[c.ID]; ok && n+c.Unfinished != whole {
			broken("%s: n %d + unfinished %d, want %d", row, n, c.Unfinished, whole)
		}
		if c.OffCPU != nil && *c.OffCPU > float64(c.Hist.Max()) {
			broken("%s: off the CPU for %g ns of at most %d", row, *c.OffCPU, c.Hist.Max())
		}
	}
	for row, n := range parts {
		if n != all[row] {
			broken("%s: %d samples, all %d", row, n, all[row])
		}
	}
}

// validateCauses checks that the causes add up to the counts.
func validateCauses(r *Result, broken func(string, ...any)) {
	n := map[string]uint64{}
	var exitedLocked uint64
	for _, k := range r.Causes {
		n[k.What] += k.N
		if k.What == "exit" && k.Cause == "locked" {
			exitedLocked += k.N
		}
	}
	wants := map[string]uint64{"create": r.Counts.ThreadsCreated, "exit": r.Counts.ThreadsExited}
	if sent := r.Counts.SigurgSent; sent != nil {
		wants["preempt"] = *sent
	} else if domestic := r.Counts.SigurgGenerated - r.Counts.SigurgForeign; n["preempt"] > domestic {
		broken("causes of preempt sum to %d, the process itself generated %d", n["preempt"], domestic)
	}
	for what, want := range wants {
		if n[what] != want {
			broken("causes of %s sum to %d, want %d", what, n[what], want)
		}
	}
	if p := r.Counts.ThreadsExitedLocked; p != nil && *p != exitedLocked {
		broken("%d threads exited locked, by their causes %d", *p, exitedLocked)
	}
	if now, most := r.Counts.LockedThreads, r.Counts.LockedThreadsMax; now != nil && most != nil && *now > *most {
		broken("%d threads locked at the end, at most %d", *now, *most)
	}
	if r.Locks.Unknown > r.Locks.Observations {
		broken("%d of %d observations unknown", r.Locks.Unknown, r.Locks.Observations)
	}
	for _, t := range r.Threads {
		if l := t.Lock; l.HeldMin < 0 || l.HeldMax != nil && *l.HeldMax < l.HeldMin {
			broken("thread %d: lock held for at least %d ns and at most %d", t.TID, l.HeldMin, *l.HeldMax)
		}
	}
}

// validateStops checks that delayed stops are among all, and that none is longer than the longest.
func validateStops(r *Result, broken func(string, ...any)) {
	var n, delayed uint64
	var longest int64
	for i := range r.Stops {
		n += uint64(r.Stops[i].Hist.N())
		longest = max(longest, r.Stops[i].Hist.Max())
	}
	for _, d := range r.StopDelays {
		delayed += d.N
		if d.Max > longest || d.Max < StopDelayed || d.Sum < d.Max {
			broken("stops delayed by %d: the longest %d ns of %d, the longest of all %d", d.TID, d.Max, d.Sum, longest)
		}
	}
	if delayed > n {
		broken("%d stops delayed of %d", delayed, n)
	}
}
