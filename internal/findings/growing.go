package findings

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// The findings about what becomes more and more.
const (
	pinsGrowing    = "pins-growing"
	threadsGrowing = "threads-growing"
)

const (
	// growPins pins of one function are the least: fewer may be a pool of workers that starts.
	growPins = 10
	// growSome pins may be the beginning of a growth: one alone is in every program that starts something.
	growSome = 2
	// growKept is the part of a function's pins of the window that must still be held at its end. Code
	// that pins for a connection or a job ends about as many as it begins.
	growKept = 0.9
	// growThreads is more than a program makes when it becomes busy: GOMAXPROCS, and a few in calls.
	growThreads = 20
	// growParts: growth goes on if there is some in each of so many parts of the window. What starts
	// once starts in one of them.
	growParts = 4
	// growSoon is how near the limit must be, at the present rate, for an error: what happens within
	// the hour can't wait until tomorrow.
	growSoon = time.Hour
	// growNear is the part of the limit that is an error at any rate, and growHalf a warning.
	growNear, growHalf = 0.9, 0.5
)

// growingPins finds a function that pins thread after thread and lets none go: each costs a thread
// until the program reaches a limit and ends. In any window that has enough of them.
func growingPins(o *observed) (fs []Finding) {
	kept, begun := o.pinsBegun()
	for _, group := range byEntry(kept) {
		entry, n := group[0].Lock.Entry, uint64(len(group))
		var begins []int64
		for _, t := range group {
			begins = append(begins, int64(o.End)-t.Lock.HeldMin)
		}
		if n < growPins || float64(n) < growKept*float64(begun[entry]) || !o.steady(begins) {
			continue
		}
		held := o.heldBy(entry)
		f := Finding{ID: pinsGrowing, Severity: warn,
			Message: fmt.Sprintf("%s pins thread after thread and lets none go: %d more in %s (%s per s), %d held now",
				goroutineOf(entry), n, unit.ShortDuration(float64(o.ns)), unit.Short(o.rate(n)), held),
			Advice: fmt.Sprintf("in %s, put defer runtime.UnlockOSThread() right after LockOSThread and let it return; "+
				"each pinned goroutine keeps a thread for as long as it lives", function(entry)),
			Evidence: map[string]any{"function": orNil(entry), "pins": n, "pins_per_s": rounded(o.rate(n)), "held": held,
				"site": nil, "lossy": !o.complete},
		}
		if sites := group[0].Lock.Sites; len(sites) > 0 {
			f.Evidence["site"] = sites[0]
		}
		o.addLimit(&f, o.rate(n))
		fs = append(fs, f)
	}
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Compare(b.Evidence["pins"].(uint64), a.Evidence["pins"].(uint64))
	})
	return fs
}

// pinsBegun returns the threads with a pin of the program that began in the window and is still held,
// and how many pins began by function.
func (o *observed) pinsBegun() (kept []*correlate.Thread, begun map[string]uint64) {
	begun = map[string]uint64{}
	for i := range o.Threads {
		t := &o.Threads[i]
		if t.Lock.MaxExt > 0 {
			begun[t.Lock.Entry] += t.Lock.Holds
		}
		if t.Lock.State == "user" && t.ExitedAt == 0 && t.Lock.Holds > 0 {
			kept = append(kept, t)
		}
	}
	return kept, begun
}

// tooFewPins returns why growing pins can't be told from others: a function began some, fewer than
// growPins, and all are still held.
func tooFewPins(o *observed) string {
	if why := noLocks(o); why != "" {
		return why
	}
	kept, begun := o.pinsBegun()
	for _, group := range byEntry(kept) {
		entry, n := group[0].Lock.Entry, uint64(len(group))
		if n >= growSome && n < growPins && n == begun[entry] {
			return fmt.Sprintf("%d pins of %s began and none ended, too few to tell: %s", n, goroutineOf(entry),
				o.longer(n, growPins))
		}
	}
	return ""
}

// tooFewThreads returns why a growing number of threads can't be told from a constant one: some were
// created in both halves of the window, and fewer ended.
func tooFewThreads(o *observed) string {
	ended := o.Counts.ThreadsExited + o.Counts.ThreadsKilled
	if o.Counts.ThreadsCreated < ended+growParts || o.Counts.ThreadsCreated >= ended+growThreads {
		return ""
	}
	var halves [2]bool
	for i := range o.Threads {
		if t := &o.Threads[i]; t.StartedAt != 0 && t.ExitedAt == 0 {
			halves[min(1, max(0, int64(t.StartedAt-o.Start)*2/o.ns))] = true
		}
	}
	if !halves[0] || !halves[1] {
		return ""
	}
	n := o.Counts.ThreadsCreated - ended
	return fmt.Sprintf("%d threads more than when the window began, too few to tell: %s", n, o.longer(n, growThreads))
}

// longer names a window in which so many become enough.
func (o *observed) longer(n uint64, enough float64) string {
	return fmt.Sprintf("that takes a window of some %.0f s (-d)", math.Ceil(o.seconds*enough/float64(n)))
}

// steady reports whether things began in each part of the window.
func (o *observed) steady(begins []int64) bool {
	var parts [growParts]bool
	for _, at := range begins {
		if since := at - int64(o.Start); since >= 0 && since < o.ns {
			parts[since*growParts/o.ns] = true
		}
	}
	return !slices.Contains(parts[:], false)
}

// heldBy counts the threads that goroutines of a function hold at the end.
func (o *observed) heldBy(entry string) (n int) {
	for i := range o.Threads {
		if t := &o.Threads[i]; t.Lock.State == "user" && t.ExitedAt == 0 && t.Lock.Entry == entry {
			n++
		}
	}
	return n
}

// addLimit adds the nearest limit of the number of threads to a finding about growth; perSecond is 0
// where it is not known to go on.
func (o *observed) addLimit(f *Finding, perSecond float64) {
	var nearest *Limit
	for i := range o.Limits {
		l := &o.Limits[i]
		if l.Max > 0 && (nearest == nil || l.left() < nearest.left()) {
			nearest = l
		}
	}
	f.Evidence["limit"], f.Evidence["limit_name"], f.Evidence["limit_used"], f.Evidence["limit_in_s"] = nil, nil, nil, nil
	if nearest == nil {
		return
	}
	f.Evidence["limit"], f.Evidence["limit_name"], f.Evidence["limit_used"] = nearest.Max, nearest.Name, nearest.Now
	used := float64(nearest.Now) / float64(nearest.Max)
	within := ""
	if perSecond > 0 {
		left := float64(nearest.left()) / perSecond
		f.Evidence["limit_in_s"] = rounded(left)
		within = ", reached in " + unit.Age(left) + " at this rate"
		if left < growSoon.Seconds() {
			f.Severity = fail
		}
	}
	f.Message += fmt.Sprintf("; the nearest limit is %d threads%s (%s, %d in use)", nearest.Max, within, nearest.Name,
		nearest.Now)
	if used >= growHalf && f.Severity == info {
		f.Severity = warn
	}
	if used >= growNear {
		f.Severity = fail
	}
}

func (l *Limit) left() uint64 { return l.Max - min(l.Now, l.Max) }

// growingThreads finds a number of threads that grows, whatever holds them. Where that are pins of
// one function, growingPins has them.
func growingThreads(o *observed) []Finding {
	ended := o.Counts.ThreadsExited + o.Counts.ThreadsKilled
	if o.Counts.ThreadsCreated < ended+growThreads {
		return nil
	}
	grown := o.Counts.ThreadsCreated - ended
	var begins []int64
	pinned := uint64(0)
	for i := range o.Threads {
		t := &o.Threads[i]
		if t.StartedAt == 0 || t.ExitedAt != 0 {
			continue
		}
		begins = append(begins, int64(t.StartedAt))
		if t.Lock.State == "user" {
			pinned++
		}
	}
	if 2*pinned > grown && len(growingPins(o)) > 0 {
		return nil
	}
	f := Finding{ID: threadsGrowing, Severity: info,
		Message: fmt.Sprintf("the process has %s%d threads more than %s ago (%s per s), %d now", o.atLeast(), grown,
			unit.ShortDuration(float64(o.ns)), unit.Short(o.rate(grown)), o.Counts.Threads),
		Advice: "limit how many goroutines are in blocking calls, in C or pinned at once (a semaphore, a pool of workers): " +
			"each needs a thread, and the runtime never ends a thread that has become free",
		Evidence: map[string]any{"grown": grown, "grown_per_s": rounded(o.rate(grown)), "threads": o.Counts.Threads,
			"cause": nil, "cause_threads": nil, "function": nil, "function_threads": nil, "pinned": pinned, "steady": false,
			"lossy": !o.complete},
	}
	if o.NotGo {
		f.Advice = "limit how many threads the program has at once (a pool of workers)"
	}
	rate := 0.0
	if o.steady(begins) {
		f.Severity, f.Evidence["steady"], rate = warn, true, o.rate(grown)
	}
	o.addLimit(&f, rate)                                  // before what explains the growth: the first screen cuts the end
	if entry, n := o.mostInCalls(); 2*uint64(n) > grown { // fewer are not why there are more
		f.Evidence["function"], f.Evidence["function_threads"] = entry, n
		f.Message += fmt.Sprintf("; %d are in a system call or in C for %s", n, goroutineOf(entry))
		f.Advice = "in " + function(entry) + " and what starts it, " + f.Advice
	}
	if cause, n := o.creationCause(); n > 0 {
		f.Evidence["cause"], f.Evidence["cause_threads"] = cause, n
		f.Message += "; most were made because " + cmp.Or(creationWords[cause], "of "+cause)
	}
	return []Finding{f}
}

// creationWords are why threads are made, in words that follow "because".
var creationWords = map[string]string{
	"sysmon_handoff":  "a thread was in a call for long and sysmon gave its P to another",
	"syscall_handoff": "a thread went into a blocking call and gave its P to another",
	"locked_park":     "a pinned goroutine waited and its thread gave its P to another",
	"spinning_wake":   "there was work and no thread was free",
	"start_the_world": "there was work after a stop of the world and no thread was free",
	"template_thread": "a pinned thread needed another one",
	"cgo":             "C code made them",
}

// creationCause returns the cause of more than half of the creations, and how many it has.
func (o *observed) creationCause() (cause string, n uint64) {
	by := map[string]uint64{}
	for _, c := range o.Causes {
		if c.What == "create" {
			by[c.Cause] += c.N
		}
	}
	for _, word := range slices.Sorted(maps.Keys(by)) {
		if 2*by[word] > o.Counts.ThreadsCreated && word != "unknown" && word != "other" {
			return word, by[word]
		}
	}
	return "", 0
}

// mostInCalls returns the function whose goroutines have the most unlocked threads in calls at the
// window's end, and how many.
func (o *observed) mostInCalls() (entry string, n int) {
	by := map[string]int{}
	for i := range o.Threads {
		t := &o.Threads[i]
		if g := o.Goroutines[t.TID]; g.InCall && g.Entry != "" && t.Lock.State != "user" && t.ExitedAt == 0 {
			by[g.Entry]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if by[name] > n {
			entry, n = name, by[name]
		}
	}
	return entry, n
}
