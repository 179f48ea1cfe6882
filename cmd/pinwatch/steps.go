package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// steps keeps one line of a terminal's stderr up to date while experiments are done: how many of them are, and which is now.
type steps struct {
	w     io.Writer // nil: nobody to show it to
	total int
	what  string
	begun time.Time
}

func newSteps(s streams, total int, what string) *steps {
	p := &steps{total: total, what: what, begun: time.Now()}
	if f, ok := s.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = f
	}
	return p
}

// barWidth is the width of the bar in columns.
const barWidth = 30

func (p *steps) step(done int, name string) {
	if p.w == nil {
		return
	}
	full := barWidth * done / max(1, p.total)
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	fmt.Fprintf(p.w, "\r\x1b[K%s %d of %d experiments, %.0f s: %s", bar, done, p.total, time.Since(p.begun).Seconds(), name)
}

func (p *steps) done() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
