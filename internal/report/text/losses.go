package text

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// lossBanner stands above all numbers of a lossy run, because none of them is reliable.
func (p *page) lossBanner(r *report.Report) {
	if !r.Lossy() {
		return
	}
	p.line()
	p.field("LOSSY RUN", bad, lossParts(r.Loss)...)
	p.field("", bad, "Counts below are lower bounds and costs may miss samples. No verdict holds: each has a "+
		"question mark.")
}

// lossParts lists what was missed, by the way in which it was missed.
func lossParts(l report.Loss) (parts []string) {
	if l.Total > 0 {
		parts = append(parts, fmt.Sprintf("%s lost, the buffer was full (%s)", unit.Plural(l.Total, "record"),
			byCount(l.ByKind)))
	}
	if l.Untracked+l.UntrackedTurns > 0 {
		parts = append(parts, unit.Plural(l.Untracked, "thread")+" without room in the kernel's table of threads, "+
			unit.Count(l.UntrackedTurns)+" of their switches not recorded")
	}
	if l.Late > 0 {
		parts = append(parts, unit.Plural(l.Late, "record")+" too late to be put in order")
	}
	if l.RecursionMisses > 0 {
		parts = append(parts, skippedRuns(l))
	}
	if l.BrokenLinks > 0 {
		parts = append(parts, unit.Plural(l.BrokenLinks, "gap")+" in threads' time lines")
	}
	return parts
}

// losses is the line of a run that is not lossy, or a reference to the banner.
func (p *page) losses(r *report.Report) {
	if r.Lossy() {
		p.field("losses", bad, "see LOSSY RUN above")
		return
	}
	parts := []string{"none"}
	if r.Loss.RecursionMisses > 0 {
		parts = append(parts, skippedRuns(r.Loss))
	}
	if r.Loss.BrokenLinks > 0 {
		parts = append(parts, fmt.Sprintf("%s in threads' time lines: %s of all thread time is unknown",
			unit.Plural(r.Loss.BrokenLinks, "gap"), unit.Percent(unknownShare(r))))
	}
	p.field("losses", plain, parts...)
}

func skippedRuns(l report.Loss) string {
	return fmt.Sprintf("%s skipped by the kernel (%s)", unit.Plural(l.RecursionMisses, "program run"), byCount(l.Skipped))
}

// inDoubt reports whether a verdict needs a question mark: in a lossy run, and where samples that
// are missing because the kernel skipped program runs could change it.
func inDoubt(r *report.Report, verdict string, holds bool) bool {
	return r.Lossy() || r.Loss.RecursionMisses > 0 && !holds && verdict != "open"
}

// unknownShare is the part of the threads' time in which their state is unknown, without the
// threads that ended and are not listed.
func unknownShare(r *report.Report) float64 {
	unknown, all := int64(0), int64(r.Omitted.Asleep)*(r.Window.EndNS-r.Window.StartNS)
	for i := range r.Threads {
		t := &r.Threads[i]
		unknown += t.UnknownNS
		all += t.UnknownNS + t.RunNS + t.RunqNS + t.BlockedNS + or(t.PausedNS, 0) + or(t.ThrottledNS, 0)
	}
	return float64(unknown) / float64(max(all, 1))
}

// warnings come last: the report's first, then those of costs, each once with the phases that it is
// about.
func (p *page) warnings(r *report.Report) {
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

// warned names the costs that have a warning: "P-8 clone_syscall, spawn, P-9 exit".
func warned(costs []report.Cost, warning string) string {
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
