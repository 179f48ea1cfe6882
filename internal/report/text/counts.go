package text

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// counts writes the exact event counts of the window.
func (p *page) counts(r *report.Report) {
	p.line()
	if parts := heldBack(r); parts != nil {
		p.field("held back", notice, parts...)
	}
	p.field("threads", plain, threadParts(r)...)
	p.field("SIGURG", plain, sigurgParts(&r.Counts)...)
	p.cpuTime(r)
	p.field("switches", plain, unit.Count(r.Counts.Switches)+perSecond(r.Counts.Switches, r.Window.ActiveS))
	p.field("migrations", plain, migrationParts(r)...)
}

// cpuTime writes the CPU time of the process and of sysmon, by the kernel's account and between switches.
func (p *page) cpuTime(r *report.Report) {
	if r.CPU.ProcessNS == nil {
		return
	}
	differ := false
	account := func(whose string, kernel, between int64) string {
		differ = differ || math.Abs(float64(kernel-between)) > 0.05*float64(kernel)
		return fmt.Sprintf("%s%s by the kernel's account, as in top, and %s between switches", whose,
			unit.Duration(float64(kernel)), unit.Duration(float64(between)))
	}
	parts := []string{account("", *r.CPU.ProcessNS, r.CPU.RunNS)}
	sysmon := slices.IndexFunc(r.Threads, func(t report.Thread) bool { return t.Role == "sysmon" })
	if r.CPU.SysmonNS != nil && sysmon >= 0 {
		parts = append(parts, account("sysmon ", *r.CPU.SysmonNS, r.Threads[sysmon].RunNS))
	}
	if differ {
		parts = append(parts, "the kernel charges a thread also for its own way to the switch, and no process after an exit")
	}
	p.field("CPU time", plain, parts...)
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
	parts := []string{unit.Count(n) + perSecond(n, r.Window.ActiveS)}
	if n == 0 {
		return parts
	}
	if r.Moves.PerKiloSwitches != nil {
		parts = append(parts, unit.Scaled(*r.Moves.PerKiloSwitches)+" per 1,000 switches")
	}
	parts = append(parts, "why: "+byCount(r.Moves.ByWhy))
	if !r.Moves.DistanceKnown {
		return append(parts, "how far is not known: this machine does not describe its caches and cores "+
			"(/sys/devices/system/cpu/cpu*/cache, which a hypervisor may leave empty)")
	}
	return append(parts, "how far: "+byCount(r.Moves.ByDistance))
}

// heldBack is why the process could not run though it had work; nil where it could.
func heldBack(r *report.Report) (parts []string) {
	if ns := r.Pauses.PausedNS; ns != nil && *ns > 0 {
		parts = append(parts, fmt.Sprintf("stopped or frozen for %s (%s), which the rates leave out",
			unit.Duration(float64(*ns)), unit.Percent(float64(*ns)/max(1, 1e9*r.Window.DurationS))))
	}
	q := r.Pauses.Quota
	if q == nil {
		return parts
	}
	quota := fmt.Sprintf("CPU quota of %s CPUs", unit.Short(q.CPUs))
	if q.ThrottledPeriods == 0 {
		return append(parts, quota+", never used up")
	}
	parts = append(parts, fmt.Sprintf("%s used up in %d of %d periods", quota, q.ThrottledPeriods, q.Periods))
	var kept, waiting int64
	for i := range r.Threads {
		if r.Threads[i].ThrottledNS == nil {
			return parts
		}
		kept, waiting = kept+*r.Threads[i].ThrottledNS, waiting+r.Threads[i].RunqNS
	}
	return append(parts, fmt.Sprintf("it kept all threads together from running for about %s, "+
		"beside %s of waiting for a CPU", unit.Duration(float64(kept)), unit.Duration(float64(waiting))))
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
