package text

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

const (
	// screenLines is the height of the first screen: it fits a terminal of 50 lines with the
	// command above it and the prompt below.
	screenLines = 45
	// fewestFindings are shown however little room there is.
	fewestFindings = 3
	// mostRows limits each list of functions, where there is room.
	mostRows = 5
	// mostHolders limits the groups of threads by what holds them.
	mostHolders = 3
	// mostReasons limits the reasons why some kinds of findings were not looked for.
	mostReasons = 3
	// mostCaveats limits the remarks at the end, where there is room.
	mostCaveats = 4
	// mostLines are those of what was found and of what to do, where there is room.
	mostLines = 3
)

// screen writes what a person needs first, on one screen: what was observed, the findings, the costs
// of threads on this machine, who holds threads, why threads came and went, and what limits all of
// that. Lists are cut; whole writes them in full.
func (p *page) screen(r *report.Report) {
	window := unit.Duration(1e9 * r.Window.DurationS)
	if !r.Lossy() {
		window += ", nothing lost"
	}
	p.target(r, window)
	p.lossBanner(r)
	least, height := briefLines+2*min(fewestFindings, len(r.Findings)), p.scaled(screenLines)
	rest := ""
	for rows := mostRows; rows > 0 && (rest == "" || p.height()+least+strings.Count(rest, "\n") > height); rows-- {
		rest = p.below(r, rows)
	}
	p.brief(r, height-p.height()-strings.Count(rest, "\n"))
	p.b.WriteString(rest)
}

// scaled is a number of lines of the default width, in lines of a narrower page.
func (p *page) scaled(lines int) int { return lines * max(DefaultWidth, p.width) / p.width }

// blank is an empty page of the same properties.
func (p *page) blank() *page {
	return &page{width: p.width, color: p.color, ascii: p.ascii, unit: p.unit}
}

// below lays out what stands below the findings, with so many rows of each list of functions.
func (p *page) below(r *report.Report, rows int) string {
	q := p.blank()
	q.machine(r)
	q.line()
	q.one("threads", "number", comings(r)...)
	for _, why := range causeLabels {
		q.why(r, why.what, why.short)
	}
	if parts := heldBack(r); parts != nil {
		q.field("held back", notice, parts...)
	}
	q.pinned(r, rows)
	if rows > 1 {
		q.groups("held by", r.Holders, min(rows-1, mostHolders), "-v")
	}
	q.sites(r.Sites[:min(len(r.Sites), rows)], false)
	if n := len(r.Sites) - rows; n > 0 {
		q.note(dim, unit.Plural(n, "more caller")+": -v")
	}
	q.price(r, min(rows+2, mostCaveats), min(rows, 2))
	return q.b.String()
}

// one adds a label and as many parts as fit on one line, which counts the others: "2 more reasons".
func (p *page) one(label, noun string, parts ...string) {
	p.oneOf(styled{pad(label, labelWidth), bold}, plain, noun, parts)
}

func (p *page) oneOf(first styled, st style, noun string, parts []string) {
	room := p.width - columns(first.text)
	line, more := "", ""
	for i, part := range parts {
		next := strings.Join(append(parts[:i:i], part), " · ")
		left := len(parts) - 1 - i
		tail := ""
		if left > 0 {
			tail = " · " + unit.Plural(left, "more "+noun)
		}
		if i > 0 && columns(next+tail) > room {
			break
		}
		line, more = next, tail
	}
	p.line(first, styled{line + more, st})
}

// briefLines are those of brief beside the findings: a blank one, the headline, and two below.
const briefLines = 4

// brief writes each finding on two lines, what and what to do, as many as there is room for, and
// names them all for pinwatch explain.
func (p *page) brief(r *report.Report, room int) {
	if len(r.Findings) == 0 {
		p.line()
		p.noFindings(r)
		p.judged(r)
		return
	}
	p.line()
	room -= briefLines
	unjudged := p.unjudged(r)
	unjudged = unjudged[:max(0, min(len(unjudged), room-2*min(fewestFindings, len(r.Findings))))]
	room -= len(unjudged)
	shown := r.Findings[:min(len(r.Findings), max(fewestFindings, room/2))]
	p.line(styled{headline(r), severity(worst(r.Findings))})
	var texts []string
	tooHigh := func() bool { return strings.Count(strings.Join(texts, ""), "\n") > room }
	for lines := p.scaled(mostLines); lines > 0 && (texts == nil || tooHigh()); lines-- {
		texts = nil
		for _, f := range shown {
			texts = append(texts, p.briefly(f, lines))
		}
	}
	p.b.WriteString(strings.Join(texts, ""))
	var ids []string
	for _, f := range r.Findings {
		if !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	p.oneOf(styled{findingIndent + "pinwatch explain ", dim}, dim, "finding", ids)
	if n := len(r.Findings) - len(shown); n > 0 {
		p.note(dim, unit.Plural(n, "more finding")+": -v")
	}
	for _, text := range unjudged {
		p.line(styled{findingIndent + text, dim})
	}
}

// unjudged are the lines for the kinds of findings that were not looked for. Where there is no room for
// all names there is for the reason.
func (p *page) unjudged(r *report.Report) (lines []string) {
	_, not := judgedBy(r)
	room := p.width - severityWidth
	for _, n := range not[:min(len(not), mostReasons)] {
		line := "not looked for: " + strings.Join(n.ids, ", ") + ": " + n.why
		for shown := len(n.ids) - 1; shown > 0 && columns(line) > room; shown-- {
			line = fmt.Sprintf("not looked for: %s and %d more: %s", strings.Join(n.ids[:shown], ", "), len(n.ids)-shown, n.why)
		}
		lines = append(lines, cut(line, room, 1))
	}
	return lines
}

// headline is a sentence on the target: how much there is to change, and what the dearest costs.
func headline(r *report.Report) string {
	s := fmt.Sprintf("%s: %s", path.Base(or(r.Target.Exe, "the process")), unit.Plural(len(r.Findings), "finding"))
	dearest, words := 0.0, ""
	for _, f := range r.Findings {
		if share, text := cpuCost(f); share > dearest {
			dearest, words = share, text
		}
	}
	switch {
	case words == "":
		return s
	case len(r.Findings) == 1:
		return s + ", which takes " + words
	}
	return s + ", the dearest takes " + words
}

func worst(fs []report.Finding) string {
	order := []string{"info", "warn", "error"}
	return slices.MaxFunc(fs, func(a, b report.Finding) int {
		return cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity))
	}).Severity
}

// severityWidth is the width of a finding's severity and of the indent of what to do.
const severityWidth = 7

var findingIndent = strings.Repeat(" ", severityWidth)

// briefly lays out a finding: what it costs and what was found, and what to do, on so many lines each.
func (p *page) briefly(f report.Finding, lines int) string {
	q, what := p.blank(), f.Message
	if _, cost := cpuCost(f); cost != "" {
		what = cost + " · " + what
	}
	room := p.width - severityWidth
	q.wrap(pad(strings.ToUpper(f.Severity), severityWidth), severity(f.Severity), findingIndent, bold,
		[]string{cut(p.clean(what), room, lines)})
	q.wrap(pad("", severityWidth-2)+"→ ", plain, findingIndent, plain, []string{cut(p.clean(f.Advice), room, lines)})
	return q.b.String()
}

// cut is the beginning of a text that takes at most so many lines of a width.
func cut(text string, width, lines int) string {
	for room := width * lines; room > 0; room-- {
		if s := clause(text, room); len(wrapped(s, width)) <= lines {
			return s
		}
	}
	return ""
}

// cpuCost is the share of one CPU that a finding costs, and the words for it; 0 and "" where it has no
// such cost.
func cpuCost(f report.Finding) (share float64, words string) {
	if f.Cost == nil {
		return 0, ""
	}
	words = unit.Percent(f.Cost.CPU) + " of one CPU"
	if f.Evidence["lossy"] == true {
		words = "≥ " + words
	}
	return f.Cost.CPU, words
}

// clause is the beginning of a text that is no wider than width: whole clauses if they say half of
// what fits, else whole words if these do. What is cut shows as an ellipsis.
func clause(text string, width int) string {
	text = strings.Join(strings.Fields(text), " ")
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	end, word, depth := 0, 0, 0
	for i := 0; i < len(runes)-1 && i <= width-2; i++ {
		switch c, next := runes[i], runes[i+1]; {
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case depth == 0 && strings.ContainsRune(";:.,", c) && next == ' ':
			end = i
		case depth == 0 && c == ' ' && next == '(':
			end = i
		}
		if runes[i] == ' ' {
			word = i
		}
	}
	if end < width/2 {
		end = word
	}
	if end < width/2 { // a long name follows
		end = max(width-2, 0)
	}
	return strings.TrimRight(string(runes[:end]), " ") + " …"
}

// why writes the causes of one kind, each in words and with the function that most of them come from.
func (p *page) why(r *report.Report, what, label string) {
	var parts []string
	for _, k := range countCauses(r.Causes, what) {
		words := causeWord(k.cause)
		if what == "exit" && k.cause == "other" {
			words = "not pinned"
		}
		part := unit.Count(k.n) + " " + words
		i := slices.IndexFunc(k.origins, func(c report.Cause) bool { return c.Function != nil })
		if i >= 0 && 2*k.origins[i].N > k.n {
			part += " (" + unit.Function(*k.origins[i].Function) + ")"
		}
		parts = append(parts, part)
	}
	if parts != nil {
		p.one(label, "reason", parts...)
	}
}

// price writes what it took to look, what the reader must know to trust the numbers, so many remarks of so
// many lines, and where the rest is.
func (p *page) price(r *report.Report, shown, lines int) {
	p.line()
	p.looking(r.Observer)
	var caveats []string
	if n := r.Loss.RecursionMisses; n > 0 && !r.Lossy() {
		caveats = append(caveats, skippedRuns(r.Loss)+": some samples of costs may be missing")
	}
	caveats = append(caveats, r.Warnings...)
	p.remarks(caveats[:min(len(caveats), shown)], lines)
	more := []string{"-v: all numbers"}
	if n := len(caveats) - shown; n > 0 {
		more[0] = "-v: all numbers and " + unit.Plural(n, "more note")
	}
	if r.Sites == nil {
		more = append(more, "--sites: who locks")
	}
	p.field("more", dim, append(more, "-o json: for programs", "pinwatch explain WORD")...)
}

// looking writes what it cost to look.
func (p *page) looking(o report.Observer) {
	var parts []string
	if o.CPUFraction != nil {
		parts = append(parts, "pinwatch: "+unit.Percent(*o.CPUFraction)+" of one CPU")
	}
	if len(syscallsBy(o.Hooks, "tracepoint", "raw_tracepoint")) > 0 {
		parts = append(parts, "and slower system calls in every process (--light: none)")
	}
	if parts != nil {
		p.field("looking", plain, strings.Join(parts, ", "))
	}
}

// remarks writes what limits the numbers, so many lines each.
func (p *page) remarks(caveats []string, lines int) {
	label := "notes"
	for _, c := range caveats {
		p.field(label, notice, cut(p.clean(c), p.width-labelWidth, lines))
		label = ""
	}
}

// comings are the numbers of threads now, created and ended.
func comings(r *report.Report) []string {
	c := &r.Counts
	parts := []string{unit.Count(c.Threads) + " now"}
	if c.LockedThreads != nil {
		parts[0] += ", " + unit.Count(*c.LockedThreads) + " of them pinned"
		if c.LockedThreadsMax != nil && *c.LockedThreadsMax > *c.LockedThreads {
			parts[0] += " (" + unit.Count(*c.LockedThreadsMax) + " at most)"
		}
	}
	parts = append(parts, unit.Count(c.ThreadsCreated)+" created", unit.Count(c.ThreadsExited)+" ended")
	if c.ThreadsKilled > 0 {
		parts = append(parts, unit.Count(c.ThreadsKilled)+" killed")
	}
	if n := ioWorkers(r.Threads); n > 0 {
		parts = append(parts, unit.Count(n)+" of the kernel (io_worker)")
	}
	return parts
}
