package report

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// DefaultWidth is the width of text reports where the caller gives none.
const DefaultWidth = 100

// TextOptions say how a text report looks.
type TextOptions struct {
	Width int  // columns no line exceeds; 0 = DefaultWidth. From 100 on nothing is left out
	Color bool // ANSI colours, only where they repeat what words say
	// Verbose shows every population, cause, locked thread and site, and the stacks in no class of causes.
	Verbose bool
}

// WriteText writes the report for eyes, what is needed first on top: what was observed, losses if any, what to do about it, costs
// against the specification, event counts and their causes, locked threads, the busiest threads, what observing cost, and warnings.
func WriteText(w io.Writer, r *Report, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = DefaultWidth
	}
	p := &page{width: o.Width, color: o.Color}
	p.heading(r)
	p.summary(r)
	p.lossBanner(r)
	p.findings(r)
	p.costs(r, o.Verbose)
	p.events(r)
	p.causes(r, o.Verbose)
	p.locked(r, o.Verbose)
	p.sites(r, o.Verbose)
	p.threads(r)
	p.observer(r)
	p.warnings(r)
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("write text report: %w", err)
	}
	return nil
}

// traits are what there is to say of the program besides its name and its Go.
func (t *Target) traits() (parts []string) {
	if t.GOMAXPROCS != nil {
		parts = append(parts, fmt.Sprintf("GOMAXPROCS %d", *t.GOMAXPROCS))
	}
	if t.Cgo != nil && *t.Cgo {
		parts = append(parts, "cgo")
	}
	if t.Stripped != nil && *t.Stripped {
		parts = append(parts, "stripped")
	}
	return parts
}

// heading says in two lines which process, for how long, and on what machine.
func (p *page) heading(r *Report) {
	t := r.Target
	parts := []string{fmt.Sprintf("%s, pid %d", path.Base(or(t.Exe, "?")), t.PID)}
	if t.GoVersion != nil {
		parts = append(parts, *t.GoVersion)
	} else {
		parts = append(parts, "no Go version found")
	}
	parts = append(parts, t.traits()...)
	parts = append(parts, "observed for "+unit.Duration(1e9*r.Window.DurationS))
	p.field("target", plain, parts...)
	if t.Ended != nil {
		p.field("", notice, "the target ended in this window: "+*t.Ended)
	}

	p.field("host", plain, r.Host.words()...)
}

// summary words every verdict in one line; nothing where nothing could be judged.
func (p *page) summary(r *Report) {
	var parts []string
	st, sampled := good, false
	for _, v := range r.Verdicts {
		i := slices.IndexFunc(statements, func(s statement) bool { return s.id == v.Statement })
		name := v.Statement
		if i >= 0 {
			name = statements[i].title
		}
		parts = append(parts, name+" "+v.words(r.lossy()))
		sampled = sampled || v.N > 0
		switch {
		case v.Verdict == "above" && v.Holds:
			st = bad
		case st == good && v.N > 0 && (v.Verdict != "in" || !v.Holds):
			st = notice
		}
	}
	switch {
	case sampled:
		p.field("verdict", st, parts...)
	case r.light():
		p.field("verdict", notice, "none, as no system call was watched (light)")
	}
}

// light says whether system calls were left alone.
func (r *Report) light() bool {
	return len(syscallsBy(r.Observer.Hooks, "off")) > 0 && len(syscallsBy(r.Observer.Hooks, "tracepoint", "raw_tracepoint", "fentry")) == 0
}

// words says a verdict in a sentence's words.
func (v Verdict) words(lossy bool) string {
	var word string
	switch {
	case v.N == 0:
		return "none"
	case v.Verdict == "too_few":
		return "not judged, n = " + strconv.FormatInt(v.N, 10)
	case v.Verdict == "open":
		word = "left open"
	case v.Verdict == "in":
		word = "in range"
	default:
		word = v.Verdict + " range"
	}
	if lossy {
		word += "?"
	}
	return word
}

// lossBanner stands above all numbers of a lossy run, because none of them can be believed as it stands.
func (p *page) lossBanner(r *Report) {
	if !r.lossy() {
		return
	}
	p.line()
	p.field("LOSSY RUN", bad, r.lossParts()...)
	p.field("", bad, "Counts below are lower bounds, costs may miss samples, and no verdict holds: each carries a question mark.")
}

// lossy says whether anything was missed.
func (r *Report) lossy() bool {
	return r.Loss.Total+r.Loss.Late+r.Loss.RecursionMisses > 0
}

// lossParts words what was missed.
func (r *Report) lossParts() (parts []string) {
	l := r.Loss
	if l.Total > 0 {
		parts = append(parts, fmt.Sprintf("%s lost, the buffer was full (%s)", unit.Plural(l.Total, "record"), byCount(l.ByKind)))
	}
	if l.Late > 0 {
		parts = append(parts, unit.Plural(l.Late, "record")+" too late to be put in order")
	}
	if l.RecursionMisses > 0 {
		parts = append(parts, unit.Plural(l.RecursionMisses, "program run")+" skipped by the kernel")
	}
	if l.BrokenLinks > 0 {
		parts = append(parts, unit.Plural(l.BrokenLinks, "place")+" where records do not join")
	}
	return parts
}

// events are the exact counts of the window.
func (p *page) events(r *Report) {
	c := r.Counts
	p.line()
	exited := unit.Count(c.ThreadsExited) + " exited"
	if c.ThreadsExitedLocked != nil && c.ThreadsExited > 0 {
		exited += " (" + unit.Count(*c.ThreadsExitedLocked) + " locked)"
	}
	threads := []string{unit.Count(c.Threads) + " now", unit.Count(c.ThreadsCreated) + " created", exited, unit.Count(c.ThreadsKilled) + " killed"}
	if c.LockedThreads != nil {
		locked := unit.Count(*c.LockedThreads) + " locked now"
		if c.LockedThreadsMax != nil {
			locked += ", " + unit.Count(*c.LockedThreadsMax) + " at most"
		}
		threads = append(threads, locked)
	}
	p.field("threads", plain, threads...)
	sigurg := []string{unit.Count(c.SigurgGenerated) + " generated", unit.Count(c.SigurgCoalesced) + " coalesced",
		unit.Count(c.SigurgDelivered) + " delivered", unit.Count(c.SigurgForeign) + " from outside"}
	sent := uint64(0)
	if c.SigurgSent != nil {
		sent = *c.SigurgSent
		sigurg = append([]string{unit.Count(sent) + " sent"}, sigurg...)
	}
	if c.SigurgNotInjected != nil {
		sigurg = append(sigurg, unit.Count(*c.SigurgNotInjected)+" injected nothing")
	}
	if sent+c.SigurgGenerated+c.SigurgDelivered == 0 {
		sigurg = []string{"none in this window"}
	}
	p.field("SIGURG", plain, sigurg...)
	p.field("switches", plain, unit.Count(c.Switches)+perSecond(c.Switches, r.Window.DurationS))

	moves := []string{unit.Count(c.Migrations) + perSecond(c.Migrations, r.Window.DurationS)}
	if c.Migrations > 0 {
		if r.Moves.PerKiloSwitches != nil {
			moves = append(moves, unit.Scaled(*r.Moves.PerKiloSwitches)+" per 1,000 switches")
		}
		moves = append(moves, "why: "+byCount(r.Moves.ByWhy), "how far: "+byCount(r.Moves.ByDistance))
	}
	p.field("migrations", plain, moves...)
}

// perSecond words the rate of n events; nothing where there is none.
func perSecond(n uint64, seconds float64) string {
	if n == 0 || seconds <= 0 {
		return ""
	}
	return " (" + unit.Scaled(float64(n)/seconds) + " per s)"
}

// warnings come last: all of the report's, then the costs' own, each once with the phases it is about.
func (p *page) warnings(r *Report) {
	all := slices.Clone(r.Warnings)
	seen := map[string]bool{}
	for _, c := range r.Costs {
		for _, w := range c.Warnings {
			if !seen[w] {
				seen[w] = true
				all = append(all, warned(r.Costs, w)+": "+w)
			}
		}
	}
	if len(all) > 0 {
		p.line()
	}
	label := "warnings"
	for _, w := range all {
		p.field(label, notice, w)
		label = ""
	}
}

// warned names the costs that carry a warning: "P-8 clone_syscall, spawn, P-9 exit".
func warned(costs []Cost, warning string) string {
	var names []string
	id, phase := "", ""
	for _, c := range costs {
		if !slices.Contains(c.Warnings, warning) || c.ID == id && c.Phase == phase {
			continue
		}
		name := c.Phase
		if c.ID != id {
			name = c.ID + " " + name
		}
		id, phase = c.ID, c.Phase
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// byCount words a map of counts, most first, without zeros: "wakeup 100, balance 20".
func byCount(m map[string]uint64) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			if m[a] > m[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
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

// or is *s, or what stands for it when it is not known.
func or(s *string, unknown string) string {
	if s == nil {
		return unknown
	}
	return *s
}
