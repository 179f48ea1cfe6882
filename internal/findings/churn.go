package findings

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// churnCount threads in a window are the least. A few may be meant: to let the goroutine end
	// locked is the documented way to destroy a thread whose state can't be restored
	// (runtime.LockOSThread).
	churnCount = 10
	// churnPerSecond is a rate that such a clean-up never reaches for long, and a goroutine per job
	// does at once.
	churnPerSecond = 1.0
)

// churn finds threads destroyed because their goroutine ended while locked (G-4, P-9).
func churn(o *observed) []Finding {
	if o.Counts.ThreadsExitedLocked == nil {
		return nil
	}
	n := *o.Counts.ThreadsExitedLocked
	perSecond := o.rate(n)
	if n < churnCount || perSecond < churnPerSecond {
		return nil
	}
	f := Finding{ID: "exit-while-locked-churn", Severity: info}
	entry, known := o.exitedEntry()
	f.Message = fmt.Sprintf("%s%s threads/s were destroyed because their goroutine ended while locked to them (%d in %s)",
		o.atLeast(), unit.Short(perSecond), n, unit.ShortDuration(float64(o.ns)))
	f.Evidence = map[string]any{"threads_exited_locked": n, "destroyed_per_s": rounded(perSecond),
		"threads_created": o.Counts.ThreadsCreated, "function": orNil(entry), "function_threads": nil, "cpu_each_ns": nil,
		"cpu_s_per_hour": nil, "lossy": !o.complete}
	if entry != "" {
		f.Message += fmt.Sprintf(", %d of them known to be of %s", known, goroutineOf(entry))
		f.Evidence["function_threads"] = known
	}
	if f.Cost = o.churnCost(n); f.Cost != nil {
		each := f.Cost.CPU * float64(o.ns) / float64(n)
		f.Message += fmt.Sprintf(": %s of CPU each with the thread that replaces it, %s", unit.ShortDuration(each),
			f.Cost.words())
		f.Severity = f.Cost.severity()
		f.Evidence["cpu_each_ns"], f.Evidence["cpu_s_per_hour"] = rounded(each), rounded(f.Cost.CPU*3600)
	}
	f.Advice = fmt.Sprintf("in %s, put defer runtime.UnlockOSThread() right after LockOSThread; or start a fixed number "+
		"of goroutines that stay locked and send them the work. Only a thread whose state can't be restored (namespaces, "+
		"credentials) must be destroyed", function(entry))
	if entry == "" {
		f.Advice += ". Run with --sites to see which function it is"
	}
	return []Finding{f}
}

// churnCost estimates the CPU time of destroying locked threads and, as far as threads are replaced at
// all, creating others; nil where it is not known. It is the time from mexit on, the birth of new
// threads until they run Go, all of the template thread's time, and the turns of threads that were
// woken because the ending ones gave their P away.
func (o *observed) churnCost(exited uint64) *Cost {
	ending := 0.0 // ns each
	for _, phase := range []string{"runtime", "exit"} {
		mean, ok := o.cpu("P-9", phase, "locked")
		if !ok {
			return nil
		}
		ending += mean
	}
	n := float64(exited)
	replaced := min(1, float64(o.Counts.ThreadsCreated)/n)
	creating := 0.0
	for _, phase := range []string{"clone_syscall", "start"} {
		mean, ok := o.cpu("P-8", phase, "")
		if !ok && replaced > 0 {
			return nil
		}
		creating += replaced * mean
	}
	measured := n * (ending + creating)
	ns := measured + o.templateRun()
	if clone, ok := o.cpu("P-8", "clone_syscall", "template_thread"); ok {
		ns = max(measured, ns-clone*float64(min(o.created("template_thread"), exited))) // counted in both
	}
	ns += o.EndRelays.SumUpTo(ending)
	return o.newCost(ns, measured/float64(o.ns), "the end of the threads, the birth of those that replace them, the "+
		"template thread, and the turns of threads that were woken because the ending ones gave their P away")
}

// templateRun is the time that the template thread ran, ns: it creates threads for pinned ones and does
// nothing else.
func (o *observed) templateRun() (ns float64) {
	for i := range o.Threads {
		if o.Threads[i].Role == "template" {
			ns += float64(o.Threads[i].Run)
		}
	}
	return ns
}

// created counts the threads that were created for one cause.
func (o *observed) created(cause string) (n uint64) {
	for _, c := range o.Causes {
		if c.What == "create" && c.Cause == cause {
			n += c.N
		}
	}
	return n
}

// exitedEntry returns the function that more than half of the goroutines which ended while locked
// began with, and how many did, of those whose function is known; "" when there is none.
func (o *observed) exitedEntry() (entry string, n uint64) {
	by, all := map[string]uint64{}, uint64(0)
	for _, c := range o.Causes {
		if c.What == "exit" && c.Cause == "locked" && c.Function != "" {
			by[c.Function] += c.N
			all += c.N
		}
	}
	for f, k := range by {
		if 2*k > all {
			return f, k
		}
	}
	return "", 0
}

const (
	// pinCount locks that began and ended in a window are the least: a pool of workers that starts
	// or stops in the window pins many times, but each worker once.
	pinCount = 100
	// pinPerSecond is more than any start-up does for long.
	pinPerSecond = 10.0
)

// perRequest finds code that pins a goroutine for one job and unpins it, over and over. With the
// probe on LockOSThread there is a finding for each site. Without, the locks held at some event
// count: those so short that no event falls into them cost next to nothing.
func perRequest(o *observed) []Finding {
	ended, entries := o.holdsEnded()
	cost := o.pinCost()
	if o.Sites != nil {
		return o.pinSites(cost)
	}
	perSecond := o.rate(ended)
	if ended < pinCount || perSecond < pinPerSecond {
		return nil
	}
	entry := ""
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if name != "" && entries[name] > entries[entry] {
			entry = name
		}
	}
	f := Finding{ID: "per-request-pinning", Severity: cost.severity(), Cost: cost,
		Advice: "find the call with --sites; " + pinAdvice,
		Message: fmt.Sprintf("goroutines were pinned and unpinned at least %s times per s (%s in %s)%s",
			unit.Short(perSecond), unit.Count(ended), unit.ShortDuration(float64(o.ns)), o.costOfPins(cost))}
	f.Evidence = map[string]any{"pins": ended, "pins_per_s": rounded(perSecond), "site": nil, "function": orNil(entry),
		"lossy": !o.complete}
	return []Finding{f}
}

// pinCost adds up the hand-offs to goroutines of functions that do not stay pinned. Beside those a pin
// costs some tens of ns.
func (o *observed) pinCost() *Cost {
	stays := map[string]bool{}
	for i := range o.Threads {
		l := &o.Threads[i].Lock
		stays[l.Entry] = stays[l.Entry] || l.State == "user" && l.HeldMin >= o.ns/2
	}
	sum := &Cost{How: "the hand-offs to goroutines that pin and unpin"}
	for i := range o.Handoffs {
		if h := &o.Handoffs[i]; h.N > 0 && !stays[h.Entry] {
			c := o.handoffCost(h)
			sum.CPU, sum.Least, sum.Most = rounded(sum.CPU+c.CPU), rounded(sum.Least+c.Least), rounded(sum.Most+c.Most)
		}
	}
	return sum
}

// costOfPins ends a sentence on pins.
func (o *observed) costOfPins(c *Cost) string {
	switch {
	case c.CPU == 0 && !o.complete:
		return ""
	case c.CPU == 0:
		return "; no other thread had to wake them while they were pinned, so that costs next to nothing"
	}
	return ": waking them while they are pinned costs " + c.words()
}

// holdsEnded counts the program's locks that began in the window and are over, and those that
// began, by the function of the goroutine.
func (o *observed) holdsEnded() (ended uint64, entries map[string]uint64) {
	entries = map[string]uint64{}
	for i := range o.Threads {
		l := &o.Threads[i].Lock
		if l.MaxExt == 0 || l.Holds == 0 { // the runtime's locks, as for callbacks from C, are not the program's
			continue
		}
		entries[l.Entry] += l.Holds
		ended += l.Holds
		if l.State == "user" {
			ended--
		}
	}
	return ended, entries
}

// pinSites has the cost in the sentence only where it is that of one site.
func (o *observed) pinSites(cost *Cost) (fs []Finding) {
	sites := slices.DeleteFunc(slices.Clone(o.Sites), func(s correlate.Site) bool {
		return s.Released < pinCount || o.rate(s.Released) < pinPerSecond
	})
	slices.SortStableFunc(sites, func(a, b correlate.Site) int { return cmp.Compare(b.Released, a.Released) })
	for _, s := range sites {
		perSecond := o.rate(s.Released)
		f := Finding{ID: "per-request-pinning", Severity: cost.severity(), Advice: pinAdvice}
		where := fmt.Sprintf("%s (%s:%d)", unit.Function(s.Function), path.Base(s.File), s.Line)
		least, most := float64(s.HeldMin)/float64(s.Released), float64(s.HeldMax)/float64(s.Released)
		held := unit.ShortDuration(least) + " to " + unit.ShortDuration(most)
		if least == 0 {
			held = "at most " + unit.ShortDuration(most)
		}
		f.Message = fmt.Sprintf("%s pins its goroutine %s%s times per s and unpins it after %s on average",
			where, o.atLeast(), unit.Short(perSecond), held)
		if len(sites) == 1 {
			f.Cost = cost
			f.Message += o.costOfPins(cost)
		}
		f.Evidence = map[string]any{"pins": s.Released, "pins_per_s": rounded(perSecond), "site": where,
			"function": s.Function, "held_mean_min_ns": rounded(least), "held_mean_max_ns": rounded(most), "lossy": !o.complete}
		fs = append(fs, f)
	}
	return fs
}

const pinAdvice = "move the code that needs the thread into a few goroutines that lock once and stay locked, and " +
	"send them the work over a channel; or, if nothing there depends on the thread, remove the pin"
