package text

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// causeLabels are the kinds of causes in the order of the text.
var causeLabels = []struct{ what, label string }{
	{"create", "why created"},
	{"exit", "why exited"},
	{"preempt", "why SIGURG"},
}

// originsShown limits how many functions or reasons the text names for a cause.
const originsShown = 2

// causes lists why threads were created and ended and SIGURG was sent, with the functions that led
// to it.
func (p *page) causes(r *report.Report, verbose bool) {
	for _, l := range causeLabels {
		if parts := causeParts(r.Causes, l.what, verbose); len(parts) > 0 {
			p.field(l.label, plain, parts...)
		}
	}
	if !verbose {
		return
	}
	for _, s := range r.Unclassified {
		p.field("no class", dim, s.What+" "+unit.Count(s.N)+": "+strings.Join(s.Frames, " < "))
	}
}

// causeParts lists the causes of one kind, the most frequent first: "locked_park 12 (main.worker 9,
// main.init 3)".
func causeParts(causes []report.Cause, what string, verbose bool) (parts []string) {
	total, origins := map[string]uint64{}, map[string][]report.Cause{}
	var words []string
	for _, c := range causes {
		if c.What != what || c.N == 0 {
			continue
		}
		if total[c.Cause] == 0 {
			words = append(words, c.Cause)
		}
		total[c.Cause] += c.N
		if c.Reason != nil || c.Function != nil {
			origins[c.Cause] = append(origins[c.Cause], c)
		}
	}
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(total[b], total[a]) })
	for _, w := range words {
		part := w + " " + unit.Count(total[w])
		if names := originParts(origins[w], verbose); names != "" {
			part += " (" + names + ")"
		}
		parts = append(parts, part)
	}
	return parts
}

// originParts lists the reasons and functions of one cause, the most frequent first.
func originParts(causes []report.Cause, verbose bool) string {
	slices.SortStableFunc(causes, func(a, b report.Cause) int { return cmp.Compare(b.N, a.N) })
	shown := causes
	if !verbose {
		shown = causes[:min(len(causes), originsShown)]
	}
	var names []string
	for _, c := range shown {
		name := or(c.Reason, "")
		if c.Function != nil {
			if name != "" {
				name += " by "
			}
			name += unit.Function(*c.Function)
		}
		names = append(names, name+" "+unit.Count(c.N))
	}
	if n := len(causes) - len(shown); n > 0 {
		names = append(names, unit.Count(n)+" more")
	}
	return strings.Join(names, ", ")
}
