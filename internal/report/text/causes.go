package text

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// causeLabels are the kinds of causes in the order of the text, with their labels in the whole report
// and on the first screen.
var causeLabels = []struct{ what, label, short string }{
	{"create", "why created", "created"},
	{"exit", "why exited", "ended"},
	{"preempt", "why SIGURG", "preempted"},
}

// causeWords are the causes in words that follow a number of threads or goroutines. One that is not here
// is its own word.
var causeWords = map[string]string{
	"start_the_world":  "after a stop of the world",
	"template_thread":  "by the template thread",
	"locked_park":      "as a pinned goroutine parked",
	"locked_exit":      "as a pinned goroutine ended",
	"sysmon_handoff":   "for a thread long in a call",
	"syscall_handoff":  "for a thread in a call",
	"gc_worker":        "for garbage collection",
	"inject":           "for the network or timers",
	"spinning_wake":    "to look for work",
	"runtime_init":     "as the program began",
	"scheduler_enable": "as goroutines were let run",
	"cgo":              "by C code",
	"locked":           "while pinned",
	"sysmon_retake":    "after 10 ms on a CPU",
	"gc_stack_scan":    "to scan their stacks",
	"stop_the_world":   "to stop the world",
	"for_each_p":       "for a step on every P",
	"trace":            "for the tracer",
	"other":            "for another reason",
	"unknown":          "unknown",
}

func causeWord(cause string) string {
	return cmp.Or(causeWords[cause], strings.ReplaceAll(cause, "_", " "))
}

// causes lists why threads were created and ended and SIGURG was sent, with the functions that led
// to it.
func (p *page) causes(r *report.Report) {
	for _, l := range causeLabels {
		if parts := causeParts(r.Causes, l.what); len(parts) > 0 {
			p.field(l.label, plain, parts...)
		}
	}
	for _, s := range r.Unclassified {
		p.field("no class", dim, s.What+" "+unit.Count(s.N)+": "+strings.Join(s.Frames, " < "))
	}
}

// causeCount is how often one cause was, and how often with which reason and function.
type causeCount struct {
	cause   string
	n       uint64
	origins []report.Cause // the most frequent first
}

// countCauses adds up the causes of one kind, the most frequent first.
func countCauses(causes []report.Cause, what string) (all []*causeCount) {
	by := map[string]*causeCount{}
	for _, c := range causes {
		if c.What != what || c.N == 0 {
			continue
		}
		if by[c.Cause] == nil {
			by[c.Cause] = &causeCount{cause: c.Cause}
			all = append(all, by[c.Cause])
		}
		k := by[c.Cause]
		if k.n += c.N; c.Reason != nil || c.Function != nil {
			k.origins = append(k.origins, c)
		}
	}
	for _, k := range all {
		slices.SortStableFunc(k.origins, func(a, b report.Cause) int { return cmp.Compare(b.N, a.N) })
	}
	slices.SortStableFunc(all, func(a, b *causeCount) int { return cmp.Compare(b.n, a.n) })
	return all
}

// causeParts lists the causes of one kind: "locked_park 12 (main.worker 9, main.init 3)".
func causeParts(causes []report.Cause, what string) (parts []string) {
	for _, k := range countCauses(causes, what) {
		part := k.cause + " " + unit.Count(k.n)
		if names := originParts(k.origins); names != "" {
			part += " (" + names + ")"
		}
		parts = append(parts, part)
	}
	return parts
}

// originParts lists the reasons and functions of one cause.
func originParts(causes []report.Cause) string {
	var names []string
	for _, c := range causes {
		name := or(c.Reason, "")
		if c.Function != nil {
			if name != "" {
				name += " by "
			}
			name += unit.Function(*c.Function)
		}
		names = append(names, name+" "+unit.Count(c.N))
	}
	return strings.Join(names, ", ")
}

// stops lists the stops of the world by what they were for, and what delayed ones waited for.
func (p *page) stops(r *report.Report) {
	var parts []string
	for _, s := range r.Stops {
		part := s.Kind + " " + unit.Count(s.N)
		if s.N > 0 {
			part += " (p50 " + p.ns(s.P50NS) + ", p99 " + p.ns(s.P99NS) + ", max " + p.ns(s.MaxNS) + ")"
		}
		if s.Unfinished > 0 {
			part += ", " + unit.Count(s.Unfinished) + " without an end"
		}
		parts = append(parts, part)
	}
	if parts != nil {
		p.field("world stops", plain, parts...)
	}
	parts = nil
	for _, s := range r.RuntimeStops {
		if s.N > 0 {
			sum, longest := (s.SumLeastNS+s.SumMostNS)/2, (*s.LongestLeastNS+*s.LongestMostNS)/2
			parts = append(parts, s.Kind+" "+unit.Count(s.N)+" (longest about "+p.ns(&longest)+", sum about "+p.ns(&sum)+")")
		}
	}
	if parts != nil {
		p.field("all stops", dim, append(parts, "counted by the runtime")...)
	}
	for _, d := range r.StopDelays[:min(len(r.StopDelays), mostDelays)] {
		part := "tid " + none
		if d.TID != nil {
			part = fmt.Sprintf("tid %d", *d.TID)
		}
		part += " " + d.Why
		if d.Function != nil {
			part += " in " + unit.Function(*d.Function)
		}
		p.field("slow stops", dim, part, unit.Count(d.N)+" of 1 ms or longer, max "+p.ns(&d.MaxNS)+", sum "+p.ns(&d.SumNS))
	}
}

// mostDelays limits the threads that stopped late.
const mostDelays = 5
