// Package findings says what is worth doing about the threads of the observed program: it holds one window's Result against
// thresholds and words what lies beyond them, with the numbers it rests on and what to change.
//
// It is pure, and it rather says nothing than something false. A finding that rests on things having happened ("82 threads/s
// were destroyed") survives lost records, which only make its numbers lower bounds, and says so. One that rests on things not
// having happened ("nobody woke it") is made only of a window in which nothing was missed. What is not known is no evidence.
//
// Every threshold is a constant with its reason, next to the finding it belongs to.
package findings

import (
	"cmp"
	"slices"

	"github.com/pinwatch/pinwatch/correlate"
)

// Severities: info is worth knowing, warn costs something now or will.
const (
	info = "info"
	warn = "warn"
)

// Finding is one thing worth acting on.
type Finding struct {
	ID       string // stable name of the kind of finding
	Severity string // info, warn, error
	Message  string // what was found, with numbers and units
	Advice   string // what to change
	// Evidence is the numbers the finding rests on, for JSON: keys in snake_case that end in the unit (_ns, _s, _per_s, _fraction
	// of 1), values that are numbers, strings, booleans, lists of these, or nil where not known.
	Evidence map[string]any
}

// About is what the Result does not say of the process.
type About struct {
	GOMAXPROCS int             // 0 = not known
	Affinity   map[int32][]int // by tid: the CPUs a thread may run on; a thread that is missing is not known
}

// perKind is how many findings of one kind are made at most: what ten functions do wrong, the first three show.
const perKind = 3

// window is one Result with what all findings ask of it.
type window struct {
	*correlate.Result
	About
	ns       int64   // length
	seconds  float64 // the same
	complete bool    // nothing was missed
}

// Find returns what is worth acting on in one window, the most severe first. It does not change res and keeps no reference to it.
func Find(res *correlate.Result, about About) []Finding {
	w := &window{Result: res, About: about, ns: int64(res.End.Sub(res.Start)), seconds: res.End.Sub(res.Start).Seconds()}
	l := res.Loss
	w.complete = l.Total()+l.Late+l.RecursionMisses == 0
	if w.ns <= 0 {
		return nil
	}
	var found []Finding
	for _, kind := range []func(*window) []Finding{
		churn, perRequest, wedged, unbalanced, hotSpots, storm, sharedCores, leaked, surplus,
	} {
		fs := kind(w)
		found = append(found, fs[:min(len(fs), perKind)]...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(rank(a.Severity), rank(b.Severity)) })
	return found
}

func rank(severity string) int { return slices.Index([]string{"error", warn, info}, severity) }

// rate is per second of the window.
func (w *window) rate(n uint64) float64 { return float64(n) / w.seconds }

// atLeast begins a number that lost records make a lower bound.
func (w *window) atLeast() string {
	if w.complete {
		return ""
	}
	return "at least "
}

// minSamples is the least number of samples that a mean is taken from, as for verdicts (contract.MinSamples).
const minSamples = 6

// cpu is the mean CPU time, in ns, of a phase: of its part with that cause where that has enough samples, else of all samples; false
// where these are too few. Time off the CPU is left out as far as it is known.
func (w *window) cpu(id, phase, cause string) (float64, bool) {
	var whole, part *correlate.Cost
	for i := range w.Costs {
		c := &w.Costs[i]
		switch {
		case c.ID != id || c.Phase != phase || c.Locked != "" || c.State != "" || c.Hist.N() < minSamples:
		case c.Cause == "":
			whole = c
		case c.Cause == cause:
			part = c
		}
	}
	c := cmp.Or(part, whole)
	if c == nil {
		return 0, false
	}
	mean := c.Hist.Mean()
	if c.OffCPU != nil {
		mean = max(0, mean-*c.OffCPU)
	}
	return mean, true
}

// slept says whether a thread lived through the whole window without running or being ready to: what it was at the end it was all along.
func (w *window) slept(t *correlate.Thread) bool {
	return w.complete && t.StartedAt == 0 && t.ExitedAt == 0 && t.Blocked >= w.ns && t.Run+t.Runq+t.Unknown == 0 && t.Switches == 0
}
