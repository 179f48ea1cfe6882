package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/pinwatch/pinwatch/internal/observe"
)

// progress keeps one line of a terminal's stderr up to date while a window runs that prints nothing else.
type progress struct {
	w     io.Writer // nil: no terminal
	total time.Duration
	shown time.Duration
	pid   int
}

func newProgress(s streams, cfg observe.Config) *progress {
	p := &progress{total: cfg.Duration, pid: cfg.PID}
	if f, ok := s.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) && cfg.Interval == 0 {
		p.w = f
	}
	return p
}

func (p *progress) tick(elapsed time.Duration, seen uint64) {
	if p.w == nil || elapsed < p.shown+200*time.Millisecond && p.shown != 0 {
		return
	}
	p.shown = elapsed
	of := ", Ctrl-C ends it"
	if p.total > 0 {
		of = fmt.Sprintf(" of %v", p.total)
	}
	fmt.Fprintf(p.w, "\r\x1b[Kobserving process %d: %.1f s%s, %d events", p.pid, elapsed.Seconds(), of, seen)
}

func (p *progress) done() {
	if p.w != nil && p.shown != 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
