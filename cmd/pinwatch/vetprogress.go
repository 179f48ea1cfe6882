package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// loading keeps one line of a terminal's stderr up to date while packages load.
type loading struct {
	w     io.Writer // nil: no terminal
	files atomic.Int64
	end   chan struct{}
	ended sync.WaitGroup
}

// newLoading shows progress on w every period until done is called.
func newLoading(w io.Writer, period time.Duration) *loading {
	l := &loading{w: w, end: make(chan struct{})}
	if w == nil {
		return l
	}
	begun := time.Now()
	l.ended.Go(func() {
		tick := time.NewTicker(period)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.show(time.Since(begun))
			case <-l.end:
				fmt.Fprint(l.w, "\r\x1b[K")
				return
			}
		}
	})
	return l
}

// show writes the line. Before the first file is read, the go command lists the packages and
// compiles what they import.
func (l *loading) show(elapsed time.Duration) {
	doing := "the go command compiles what the packages import"
	if n := l.files.Load(); n > 0 {
		doing = fmt.Sprintf("%d files read", n)
	}
	fmt.Fprintf(l.w, "\r\x1b[Kloading packages: %.0f s, %s", elapsed.Seconds(), doing)
}

func (l *loading) done() {
	close(l.end)
	l.ended.Wait()
}
