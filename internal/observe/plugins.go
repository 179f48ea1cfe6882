package observe

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime"
)

// loaded is what a program has loaded into its process while it ran, as far as it is known.
type loaded struct {
	plugins []string // files of its plugins
	others  []string // Go libraries with a runtime of their own
	asked   bool     // for plugins, at least once
	notes   []string // what cannot be read of them
}

func (l *loaded) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// newPlugins returns the plugins that the program has loaded since the last call.
func (p *Program) newPlugins() []goruntime.Plugin {
	if p.Runtime == nil {
		return nil
	}
	all, err := p.Runtime.Plugins()
	if err != nil && !p.asked { // a later error means that the process has ended
		p.note("the functions of plugins have no names: %s", oneLine(err))
	}
	p.asked = true
	added := all[len(p.plugins):]
	for _, pl := range added {
		p.plugins = append(p.plugins, path.Base(pl.Path))
		if pl.Err != nil {
			p.note("the functions of the plugin %s have no names: %s", path.Base(pl.Path), oneLine(pl.Err))
		}
	}
	return added
}

// findRuntimes finds the Go runtimes in the process that are not observed.
func (p *Program) findRuntimes() {
	p.others = nil
	for _, file := range p.Runtime.OtherRuntimes() {
		p.others = append(p.others, path.Base(file))
	}
}

// Loaded returns the names of the files of its plugins, and of the Go libraries with a runtime of
// their own, as far as they are known; nil for a program that cannot be read.
func (p *Program) Loaded() (plugins, otherRuntimes []string) {
	if p.Runtime == nil {
		return nil, nil
	}
	return append([]string{}, p.plugins...), append([]string{}, p.others...)
}

// Notes are the facts about the program that a reader must know, in words.
func (p *Program) Notes() []string {
	notes := slices.Clone(p.notes)
	if len(p.others) > 0 {
		notes = append(notes, fmt.Sprintf("this process has %d Go runtimes, and only that of %s is observed: goroutines, "+
			"locks and functions of %s are not seen, and the threads that may belong there have an unknown role and lock",
			1+len(p.others), path.Base(p.Info.Module), strings.Join(p.others, ", ")))
	}
	return notes
}

// followPlugins puts a breakpoint on the LockOSThread of every plugin that was loaded since the last
// call.
func (l *loop) followPlugins() {
	now := l.now()
	since := now.Sub(l.followed)
	l.followed = now
	for _, pl := range l.program.newPlugins() {
		if l.pins == nil || pl.LockOSThread == 0 {
			continue
		}
		name := path.Base(pl.Path)
		place, err := placeOf(l.program.Runtime, pl.LockOSThread)
		if err == nil {
			err = l.kernel.ProbePins(place)
		}
		if err != nil {
			l.program.note("calls of LockOSThread by the plugin %s are not seen: %s", name, oneLine(err))
		} else if l.began {
			l.program.note("the plugin %s was loaded while the program was observed: its calls of LockOSThread in "+
				"the first %v after that may be missing", name, since.Round(time.Millisecond))
		}
	}
}

// followRuntimes looks again for other Go runtimes: a library may have been loaded meanwhile.
func (l *loop) followRuntimes() {
	if l.program.Runtime == nil {
		return
	}
	l.program.findRuntimes()
	if len(l.program.others) > 0 {
		l.correlator.SetOtherRuntimes()
	}
}
