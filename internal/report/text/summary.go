package text

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// fewestPrograms are listed however little room there is.
	fewestPrograms = 3
	// mostNames are the names that a line has before it counts the others.
	mostNames = 3
	// mostUnjudged limits the lines for the kinds of findings that were not looked for.
	mostUnjudged = 2
	// everyLine of a remark.
	everyLine = 100
)

// WriteSummary writes the first screen of a summary, or the whole of it.
func WriteSummary(w io.Writer, s *report.Summary, o Options) error {
	p := newPage(o)
	p.population(s, o.Verbose)
	if o.Verbose {
		p.groupFindings(s, 0)
		p.programs(s, len(s.Executables))
		p.largest(s)
		p.costs(s.Report())
		p.programCosts(s)
		p.groupState(s, len(s.Warnings), everyLine)
		return p.write(w)
	}
	height, rest := p.scaled(screenLines), ""
	least := 4 + mostUnjudged + 3*min(fewestFindings, len(s.Findings))
	tooHigh := func() bool { return p.height()+least+strings.Count(rest, "\n") > height }
	rows := max(min(len(s.Executables), height), fewestPrograms)
	for ; rows >= fewestPrograms && (rest == "" || tooHigh()); rows-- {
		rest = p.belowSummary(s, rows)
	}
	p.groupFindings(s, max(height-p.height()-strings.Count(rest, "\n"), least))
	p.b.WriteString(rest)
	return p.write(w)
}

// belowSummary lays out what stands below the findings, with so many executables.
func (p *page) belowSummary(s *report.Summary, rows int) string {
	q := p.blank()
	q.programs(s, rows)
	q.machine(s.Report())
	q.groupState(s, 2, 2)
	return q.b.String()
}

// population is the first line: how many processes in how long, and whether all of them was seen.
func (p *page) population(s *report.Summary, verbose bool) {
	n := &s.Processes
	head := unit.Processes(n.Observed-n.BuildTools) + " of " + unit.Plural(n.Executables, "program")
	if n.BuildTools > 0 {
		head += " and " + unit.Plural(n.BuildTools, "tool") + " of Go builds"
	}
	head += " in " + unit.Duration(1e9*s.Window.DurationS)
	if s.NothingLost() {
		head += ", nothing lost"
	}
	p.wrap("", plain, "", bold, []string{head})
	if !s.Lossy() {
		return
	}
	p.line()
	p.field("LOSSY RUN", bad, fmt.Sprintf("records of %s of %s were lost: their numbers have a ≥, as they are lower "+
		"bounds, costs may miss samples, and each verdict has a question mark", unit.Count(s.Incomplete.Lossy),
		unit.Processes(n.Observed)))
	if verbose {
		p.field("", bad, lossParts(s.Report().Loss)...)
	}
}

// groupFindings writes how much there is to do, and each kind of finding: where, what it costs, the
// worst of them, and what to do. room is in lines; 0 = no limit.
func (p *page) groupFindings(s *report.Summary, room int) {
	sentence, st := verdictOn(s)
	begin := p.height()
	p.line()
	p.wrap("", plain, "", st, []string{sentence})
	unjudged, shown, lines := p.groupUnjudged(s, room > 0), s.Findings, 0
	if room > 0 {
		room -= p.height() - begin + 2 + len(unjudged) // the names of the findings, how many more
		shown, lines = shown[:min(len(shown), max(fewestFindings, room/3))], p.scaled(mostLines)
	}
	var texts []string
	for tooHigh := true; tooHigh; lines-- {
		texts = nil
		for i := range shown {
			texts = append(texts, p.groupFinding(&shown[i], lines))
		}
		tooHigh = lines > 1 && strings.Count(strings.Join(texts, ""), "\n") > room
	}
	p.b.WriteString(strings.Join(texts, ""))
	if len(s.Findings) > 0 {
		var ids []string
		for i := range s.Findings {
			ids = append(ids, s.Findings[i].ID)
		}
		p.oneOf(styled{findingIndent + "pinwatch explain ", dim}, dim, "finding", ids)
	}
	if n := len(s.Findings) - len(shown); n > 0 {
		p.note(dim, unit.Plural(n, "more kind")+" of findings: -v")
	}
	for _, text := range unjudged {
		p.line(styled{findingIndent + text, dim})
	}
}

// verdictOn is a sentence: whether there is anything to do, and in how many of the processes.
func verdictOn(s *report.Summary) (string, style) {
	n := &s.Processes
	of := " of " + unit.Processes(n.Observed)
	if n.Observed == 1 {
		of = " process"
	}
	cost, kinds := 0.0, 0
	for i := range s.Findings {
		f := &s.Findings[i]
		if f.Severity == "info" && n.WithError+n.WithWarn > 0 {
			continue
		}
		kinds++
		if f.Cost != nil {
			cost += f.Cost.CPUSeconds
		}
	}
	costs := ""
	if cost > 0 {
		costs = ", which cost " + unit.Duration(1e9*cost) + " of CPU"
	}
	switch todo := n.WithError + n.WithWarn; {
	case todo > 0:
		st := notice
		if n.WithError > 0 {
			st = bad
		}
		return "Something to do in " + unit.Count(todo) + of + ": " + unit.Plural(kinds, "kind") + " of findings" + costs, st
	case n.WithInfo > 0:
		return "Nothing that must be changed. Worth knowing about " + unit.Count(n.WithInfo) + of + ": " +
			unit.Plural(kinds, "kind") + " of findings" + costs, bold
	case n.Observed == 0:
		return "No process was observed, so nothing is known.", notice
	case n.Judged == 0:
		return "Nothing could be looked for in any process.", notice
	case s.Lossy():
		return "Nothing was found, but in a lossy run that proves nothing.", notice
	case n.Judged < n.Observed:
		return "Nothing to do was found in " + unit.Count(n.Judged) + of + ". In the others nothing could be looked for.",
			notice
	}
	if more := unseen(s); more != "" {
		return "Nothing to do was found in " + unit.Processes(n.Observed) + ". " + more + " were not observed.", notice
	}
	return "Nothing to do: no finding in " + unit.Processes(n.Observed) + ".", good
}

// unseen is how many processes more there were; "" = none.
func unseen(s *report.Summary) string {
	atMost := s.Incomplete.NoRoom + s.MissedExecs()
	n := atMost
	for _, f := range s.Incomplete.Failed {
		if n += f.Processes; f.Kind == report.LostExec {
			atMost += f.Processes // they may be observed from later on
		}
	}
	switch {
	case n == 0:
		return ""
	case atMost > 0:
		return "Up to " + unit.Count(n) + " more"
	}
	return "Another " + unit.Count(n)
}

// groupFinding lays out one kind of finding, each of its texts on so many lines; 0 = no limit.
func (p *page) groupFinding(f *report.GroupFinding, lines int) string {
	q, room := p.blank(), p.width-severityWidth
	limit := func(text string) []string {
		if text = p.clean(text); lines > 0 {
			text = cut(text, room, lines)
		}
		return []string{text}
	}
	where := f.ID + " in " + unit.Processes(f.Processes) + " of " + names(f.Executables, lines > 0)
	if f.Cost != nil {
		where = unit.Duration(1e9*f.Cost.CPUSeconds) + " of CPU · " + where
	}
	q.wrap(pad(strings.ToUpper(f.Severity), severityWidth), severity(f.Severity), findingIndent, bold, limit(where))
	which := fmt.Sprintf("pid %d%s: ", f.Worst.PID, inContainer(f.Worst.Container))
	if f.Findings > 1 {
		which = "the worst, " + which
	}
	q.wrap(findingIndent, plain, findingIndent, plain, limit(which+f.Worst.Message))
	q.wrap(pad("", severityWidth-2)+"→ ", plain, findingIndent, plain, limit(f.Worst.Advice))
	return q.b.String()
}

// inContainer is where a process runs, for a sentence.
func inContainer(name *string) string {
	if name == nil {
		return ""
	}
	return " in " + shortName(*name)
}

// longestName is the longest name of an executable in a sentence.
const longestName = 30

// shortName is a name for a sentence.
func shortName(name string) string {
	if columns(name) > longestName {
		return beginning(name, longestName-1) + "…"
	}
	return name
}

// names lists executables, a few of them where room is short.
func names(list []report.Named, short bool) string {
	var all []string
	for _, n := range list {
		all = append(all, shortName(n.Name))
	}
	if more := len(all) - mostNames; short && more > 0 {
		return strings.Join(all[:mostNames], ", ") + " and " + unit.Plural(more, "more program")
	}
	return strings.Join(all, ", ")
}

// groupUnjudged are the lines for the kinds of findings that were not looked for everywhere.
func (p *page) groupUnjudged(s *report.Summary, limited bool) (lines []string) {
	type group struct {
		why string
		n   uint64
		ids []string
	}
	var groups []group
	for _, j := range s.NotJudged {
		i := slices.IndexFunc(groups, func(g group) bool { return g.why == j.Why && g.n == j.Processes })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{why: j.Why, n: j.Processes})
		}
		groups[i].ids = append(groups[i].ids, j.ID)
	}
	if limited {
		groups = groups[:min(len(groups), mostUnjudged)]
	}
	for _, g := range groups {
		what := g.ids[0]
		if more := len(g.ids) - 1; more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
		where := ""
		if g.n < s.Processes.Observed {
			where = " in " + unit.Count(g.n) + " of " + unit.Processes(s.Processes.Observed)
		}
		high := 1
		switch {
		case !limited:
			high = everyLine
		case p.width < DefaultWidth:
			high = 2
		}
		room := p.width - severityWidth
		text := cut(p.clean("not looked for"+where+": "+what+": "+g.why), room, high)
		lines = append(lines, wrapped(text, room)...)
	}
	return lines
}

// groupState writes the threads of all processes, what is missing, what it cost to look, so many remarks
// of so many lines, and where the rest is.
func (p *page) groupState(s *report.Summary, shown, lines int) {
	p.line()
	p.groupThreads(s)
	p.groupMissing(s, shown < len(s.Warnings) || lines < everyLine)
	if len(s.Passed) > 0 {
		var parts []string
		for _, n := range s.Passed {
			parts = append(parts, shortName(n.Name)+" "+unit.Count(n.Processes))
		}
		parts[0] = "not observed: " + parts[0]
		p.one("not Go", "program", parts...)
	}
	p.line()
	p.looking(s.Report().Observer)
	caveats := s.Warnings
	p.remarks(caveats[:min(len(caveats), shown)], lines)
	if lines == everyLine {
		return
	}
	more := "-v: all"
	if n := len(caveats) - shown; n > 0 {
		more += ", and " + unit.Plural(n, "more note")
	}
	p.field("more", dim, more, "--out DIR/: each process", "-o json: for programs", "pinwatch explain WORD")
}

// groupThreads writes the threads of all processes together.
func (p *page) groupThreads(s *report.Summary) {
	number := func(n uint64) string { return mark(s.Lossy()) + unit.Count(n) }
	parts := []string{number(s.Sums.ThreadsCreated) + " created", number(s.Sums.ThreadsExited) + " ended"}
	if s.Sums.ThreadsKilled > 0 {
		parts = append(parts, number(s.Sums.ThreadsKilled)+" killed")
	}
	most := func(what string, peak *report.Peak) {
		if peak != nil && peak.N > 0 {
			parts = append(parts, fmt.Sprintf("%s%s%s at most in one process (%s, pid %d)", mark(peak.Bound != nil),
				unit.Count(peak.N), what, shortName(or(peak.Exe, "?")), peak.PID))
		}
	}
	most("", s.Peaks.Threads)
	most(" pinned", s.Peaks.LockedThreads)
	p.field("threads", plain, parts...)
}

func mark(lower bool) string {
	if lower {
		return "≥"
	}
	return ""
}

// groupMissing writes how many processes were seen as a whole, what is missing of the others, and how
// many were not seen at all. What pinwatch itself missed comes first, and then the other reasons: those that
// fit on a line, or all.
func (p *page) groupMissing(s *report.Summary, limited bool) {
	n, in := &s.Processes, &s.Incomplete
	whole := unit.Count(n.Complete) + " of " + unit.Processes(n.Observed)
	if n.Complete == n.Observed {
		whole = unit.Processes(n.Observed)
	}
	p.field("complete", plain, whole+": seen from begin to end, with nothing lost")
	var parts, missed []string
	count := func(n uint64, what string) {
		if n > 0 {
			parts = append(parts, unit.Count(n)+" "+what)
		}
	}
	skipped, unread := "may lack samples of costs", "kernel side only"
	if !limited {
		skipped += " (runs skipped by the kernel)"
		unread += ": no Go runtime could be read"
	}
	count(in.Lossy, "with lost records")
	count(in.Skipped, skipped)
	count(in.KernelSideOnly, unread)
	count(in.LocksUnknown, "with locks that are not known")
	count(in.Began, "began earlier")
	count(in.Living, "lived on")
	p.reasons("the others", plain, parts, limited)
	p.reasons("in part", notice, kinds(in.InPart), limited)
	if n := s.MissedExecs(); n > 0 {
		missed = append(missed, "up to "+unit.Count(n)+": the kernel skipped their start")
	}
	if n := s.LostExecs(); n > 0 {
		missed = append(missed, unit.Count(n)+", Go programs or not: the record of their start was lost (--ring-size)")
	}
	never := kinds(slices.DeleteFunc(slices.Clone(in.Failed), func(f report.Reason) bool {
		return f.Kind == report.LostExec
	}))
	if in.NoRoom > 0 {
		never = append([]string{"up to " + unit.Count(in.NoRoom) + ", Go programs or not: there was no room"},
			never...)
	}
	label := "not seen"
	if missed != nil && limited {
		p.field(label, notice, missed...)
		label, missed = "", nil
	}
	never = append(missed, never...)
	p.reasons(label, notice, never, limited)
}

func kinds(reasons []report.Reason) (parts []string) {
	for _, r := range reasons {
		parts = append(parts, unit.Count(r.Processes)+": "+r.Why)
	}
	return parts
}

// reasons writes those that fit on a line, or all.
func (p *page) reasons(label string, st style, reasons []string, limited bool) {
	switch {
	case reasons == nil:
	case limited:
		p.oneOf(styled{pad(label, labelWidth), bold}, st, "reason", reasons)
	default:
		p.field(label, st, reasons...)
	}
}
