package text

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// counts writes the exact event counts of the window.
func (p *page) counts(r *report.Report) {
	p.line()
	p.field("threads", plain, threadParts(r)...)
	p.field("SIGURG", plain, sigurgParts(&r.Counts)...)
	p.field("switches", plain, unit.Count(r.Counts.Switches)+perSecond(r.Counts.Switches, r.Window.DurationS))
	p.field("migrations", plain, migrationParts(r)...)
}

func threadParts(r *report.Report) []string {
	c := &r.Counts
	exited := unit.Count(c.ThreadsExited) + " exited"
	if c.ThreadsExitedLocked != nil && c.ThreadsExited > 0 {
		exited += " (" + unit.Count(*c.ThreadsExitedLocked) + " locked)"
	}
	now := unit.Count(c.Threads) + " now"
	if n := ioWorkers(r.Threads); n > 0 {
		now += " (" + unit.Count(n) + " io_worker)"
	}
	parts := []string{now, unit.Count(c.ThreadsCreated) + " created", exited,
		unit.Count(c.ThreadsKilled) + " killed"}
	if c.LockedThreads != nil {
		locked := unit.Count(*c.LockedThreads) + " locked now"
		if c.LockedThreadsMax != nil {
			locked += ", " + unit.Count(*c.LockedThreadsMax) + " at most"
		}
		parts = append(parts, locked)
	}
	return parts
}

// ioWorkers counts the threads that live and that the kernel made for its own work.
func ioWorkers(threads []report.Thread) (n uint64) {
	for i := range threads {
		if threads[i].Role == ioWorker && threads[i].ExitNS == nil {
			n++
		}
	}
	return n
}

func sigurgParts(c *report.Counts) []string {
	var sent uint64
	var parts []string
	if c.SigurgSent != nil {
		sent = *c.SigurgSent
		parts = append(parts, unit.Count(sent)+" sent")
	}
	if sent+c.SigurgGenerated+c.SigurgDelivered == 0 {
		return []string{"none in this window"}
	}
	parts = append(parts, unit.Count(c.SigurgGenerated)+" generated", unit.Count(c.SigurgCoalesced)+" coalesced",
		unit.Count(c.SigurgDelivered)+" delivered", unit.Count(c.SigurgForeign)+" from outside")
	if c.SigurgNotInjected != nil {
		parts = append(parts, unit.Count(*c.SigurgNotInjected)+" did not preempt")
	}
	return parts
}

func migrationParts(r *report.Report) []string {
	n := r.Counts.Migrations
	parts := []string{unit.Count(n) + perSecond(n, r.Window.DurationS)}
	if n == 0 {
		return parts
	}
	if r.Moves.PerKiloSwitches != nil {
		parts = append(parts, unit.Scaled(*r.Moves.PerKiloSwitches)+" per 1,000 switches")
	}
	return append(parts, "why: "+byCount(r.Moves.ByWhy), "how far: "+byCount(r.Moves.ByDistance))
}

// perSecond writes the rate of n events in brackets; nothing where there is none.
func perSecond(n uint64, seconds float64) string {
	if n == 0 || seconds <= 0 {
		return ""
	}
	return " (" + unit.Scaled(float64(n)/seconds) + " per s)"
}

// byCount lists counts without zeros, the largest first: "wakeup 100, balance 20".
func byCount(m map[string]uint64) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, k := range keys {
		if m[k] > 0 {
			parts = append(parts, k+" "+unit.Count(m[k]))
		}
	}
	if parts == nil {
		return "not known"
	}
	return strings.Join(parts, ", ")
}
