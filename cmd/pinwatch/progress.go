package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// progress keeps one line of a terminal's stderr up to date during an observation without
// intervals.
type progress struct {
	w     io.Writer // nil: no terminal
	total time.Duration
	shown time.Duration
	what  string
}

func newProgress(s streams, cfg observe.Config) *progress {
	p := &progress{total: cfg.Duration, what: fmt.Sprintf("process %d", cfg.PID)}
	if cfg.Interval == 0 && !cfg.NotBegun { // else the terminal is the command's
		p.w = terminal(s.err)
	}
	return p
}

// terminal is w if that is a terminal, else nil.
func terminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

func (p *progress) tick(elapsed time.Duration, events uint64) {
	if p.w == nil || elapsed < p.shown+200*time.Millisecond && p.shown != 0 {
		return
	}
	p.shown = elapsed
	of := ", Ctrl-C ends it"
	if p.total > 0 {
		of = fmt.Sprintf(" of %v s", p.total.Seconds())
	}
	fmt.Fprintf(p.w, "%sobserving %s: %.1f s%s, %s events", p.erase(), p.what, elapsed.Seconds(), of, unit.Count(events))
}

func (p *progress) done() {
	if p.w != nil && p.shown != 0 {
		fmt.Fprint(p.w, p.erase())
	}
}

// erase is what removes the line from the terminal.
func (p *progress) erase() string {
	if p.w == nil {
		return ""
	}
	return "\r\x1b[K"
}

// steps keeps one line of a terminal's stderr up to date during experiments: the number done, and
// the name of the current one.
type steps struct {
	w     io.Writer // nil: no terminal
	ascii bool
	total int
	begun time.Time
}

func newSteps(s streams, total int) *steps {
	return &steps{w: terminal(s.err), ascii: s.look.ascii, total: total, begun: time.Now()}
}

// barWidth is the width of the bar in columns.
const barWidth = 30

func (p *steps) step(done int, name string) {
	if p.w == nil {
		return
	}
	full := barWidth * done / max(1, p.total)
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	if p.ascii {
		bar = strings.NewReplacer("█", "#", "░", ".").Replace(bar)
	}
	elapsed := time.Since(p.begun).Seconds()
	fmt.Fprintf(p.w, "\r\x1b[K%s %d of %d experiments, %.0f s: %s", bar, done, p.total, elapsed, name)
}

func (p *steps) done() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// mostRepeats of a kind are printed in full.
const mostRepeats = 3

// repeats prints errors of processes: of each kind the first ones, and at the end how many more there were.
type repeats struct {
	print func(format string, args ...any)
	mu    sync.Mutex
	kinds []repeatedKind // in the order of their first errors
}

type repeatedKind struct {
	id, why string
	n       int
}

// say takes an error. why is the same for all of a kind.
func (r *repeats) say(id, why string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.kinds, func(k repeatedKind) bool { return k.id == id })
	if i < 0 {
		i = len(r.kinds)
		r.kinds = append(r.kinds, repeatedKind{id: id, why: why})
	}
	if r.kinds[i].n++; r.kinds[i].n <= mostRepeats {
		r.print("%s", oneLine(err))
	}
}

// rest prints how many errors say has not.
func (r *repeats) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kinds {
		if more := k.n - mostRepeats; more > 0 {
			r.print("%s more: %s", unit.Count(more), k.why)
		}
	}
}
