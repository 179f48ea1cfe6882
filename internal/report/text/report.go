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
// width on. A page gains nothing beyond MaxWidth. Below MinWidth nothing but signs for what is left out
// would remain: a narrower terminal does better to break the lines of that width.
const (
	MinWidth     = 60
	DefaultWidth = 100
	MaxWidth     = 200
)

// Options are the properties of a page.
type Options struct {
	Width   int    // columns; 0 = DefaultWidth
	Color   bool   // ANSI colours
	ASCII   bool   // no sign beyond ASCII, and so no shape of a distribution
	Unit    string // of all columns of times, a key of timeUnits: plain numbers; "" = each time has its own
	Verbose bool   // of a report: the whole of it, instead of the first screen
}

// WriteReport writes the first screen of a report, or the whole of it.
func WriteReport(w io.Writer, r *report.Report, o Options) error {
	p := newPage(o)
	if o.Verbose {
		p.whole(r)
	} else {
		p.screen(r)
	}
	return p.write(w)
}

// whole writes all that people may want to read, the most urgent first: what was observed, losses if
// any, findings, costs against the specification with every population, event counts and their
// causes, locked threads, the busiest threads, the cost of observing, and warnings.
func (p *page) whole(r *report.Report) {
	p.heading(r)
	p.summary(r)
	p.lossBanner(r)
	p.findings(r)
	p.costs(r)
	p.counts(r)
	p.causes(r)
	p.stops(r)
	p.locked(r)
	p.sites(r.Sites, true)
	p.holders(r)
	p.threads(r)
	p.observer(r)
	p.warnings(r)
}

// heading names the process, the length of the window and the machine.
func (p *page) heading(r *report.Report) {
	p.target(r, "observed for "+unit.Duration(1e9*r.Window.DurationS))
	p.field("host", plain, r.Host.Words()...)
}

// target names the process and, in the words of the caller, the window.
func (p *page) target(r *report.Report, window string) {
	t := r.Target
	parts := []string{fmt.Sprintf("%s, pid %d", path.Base(or(t.Exe, "?")), t.PID),
		or(t.GoVersion, "no Go version found")}
	parts = append(append(parts, traits(&t)...), window)
	p.field("target", plain, parts...)
	if parts := place(t.Container); parts != nil {
		p.field("", plain, parts...)
	}
	if t.Ended != nil {
		p.field("", notice, "the target ended in this window: "+*t.Ended)
	}
}

// place is the container or unit that the process runs in. An id is cut as its runtime's commands do.
func place(c *report.Container) (parts []string) {
	if c == nil {
		return nil
	}
	for _, of := range []struct {
		what string
		name *string
	}{{"container", c.Name}, {"id", c.ID}, {"runtime", c.Runtime}, {"pod uid", c.PodUID}, {"unit", c.Unit}} {
		if of.name == nil {
			continue
		}
		name := *of.name
		if of.what == "id" {
			name = name[:min(len(name), shortID)]
			if c.Name == nil {
				of.what = "container"
			}
		}
		parts = append(parts, of.what+" "+name)
	}
	return parts
}

// shortID is how much of a container's id docker ps and crictl ps show.
const shortID = 12

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
