// Package text writes reports, lists of threads, verdicts and statements for people to read in a
// terminal.
//
// A page is a number of lines that are never wider than its width. A table leaves out its least
// important columns where the page is narrow. Colour only repeats the
// meaning of the words.
package text

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// DefaultWidth is the width of a page where the caller gives none. Nothing is left out from this
// width on.
const DefaultWidth = 100

// Options are the properties of a page.
type Options struct {
	Width   int  // columns; 0 = DefaultWidth
	Color   bool // ANSI colours
	Verbose bool // of a report: every population, cause, locked thread and site, and the stacks of no known cause
}

// WriteReport writes a report, the most urgent first: what was observed, losses if any, findings,
// costs against the specification, event counts and their causes, locked threads, the busiest
// threads, the cost of observing, and warnings.
func WriteReport(w io.Writer, r *report.Report, o Options) error {
	p := newPage(o)
	p.heading(r)
	p.summary(r)
	p.lossBanner(r)
	p.findings(r)
	p.costs(r, o.Verbose)
	p.counts(r)
	p.causes(r, o.Verbose)
	p.locked(r, o.Verbose)
	p.sites(r, o.Verbose)
	p.holders(r, o.Verbose)
	p.threads(r)
	p.observer(r)
	p.warnings(r)
	return p.write(w)
}

// heading names the process, the length of the window and the machine.
func (p *page) heading(r *report.Report) {
	t := r.Target
	parts := []string{fmt.Sprintf("%s, pid %d", path.Base(or(t.Exe, "?")), t.PID),
		or(t.GoVersion, "no Go version found")}
	parts = append(parts, traits(&t)...)
	parts = append(parts, "observed for "+unit.Duration(1e9*r.Window.DurationS))
	p.field("target", plain, parts...)
	if t.Ended != nil {
		p.field("", notice, "the target ended in this window: "+*t.Ended)
	}
	p.field("host", plain, r.Host.Words()...)
}

// traits are the properties of the program besides its name and its Go release.
func traits(t *report.Target) (parts []string) {
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

// summary writes every verdict on one line; nothing where nothing could be judged.
func (p *page) summary(r *report.Report) {
	var parts []string
	st, sampled := good, false
	for _, v := range r.Verdicts {
		name := v.Statement
		if i := slices.IndexFunc(costTitles, func(s costTitle) bool { return s.id == v.Statement }); i >= 0 {
			name = costTitles[i].title
		}
		parts = append(parts, name+" "+verdictWords(v, inDoubt(r, v.Verdict, v.Holds)))
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
	case light(r):
		p.field("verdict", notice, "none: no system call was watched (light)")
	}
}

// light is true when no system call was watched.
func light(r *report.Report) bool {
	return len(syscallsBy(r.Observer.Hooks, "off")) > 0 &&
		len(syscallsBy(r.Observer.Hooks, "tracepoint", "raw_tracepoint", "fentry")) == 0
}

// verdictWords puts a verdict into words, with a question mark where it is in doubt.
func verdictWords(v report.Verdict, doubt bool) string {
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
	if doubt {
		word += "?"
	}
	return word
}
