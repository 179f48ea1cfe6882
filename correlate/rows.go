package correlate

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/pinwatch/pinwatch/correlate/internal/cause"
)

// maxUnclassified is how many stacks of no class a Result shows.
const maxUnclassified = 10

// causeRows lists the causes of a ledger, and the stacks of the cause "other".
func (p *program) causeRows(l *ledger) (rows []Cause, others []Stack) {
	for k, n := range l.causes {
		rows = append(rows, Cause{What: k.what.String(), Cause: k.Cause, Reason: k.Reason, Function: k.Function, N: n})
	}
	slices.SortFunc(rows, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(b.N, a.N), cmp.Compare(a.Cause, b.Cause),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Function, b.Function))
	})
	for k, n := range l.unclassified {
		if frames := p.stack(k.stack); len(frames) > 0 {
			others = append(others, Stack{What: k.what.String(), Frames: frameTexts(frames), N: n})
		}
	}
	slices.SortFunc(others, func(a, b Stack) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.What, b.What), slices.Compare(a.Frames, b.Frames))
	})
	return rows, others[:min(len(others), maxUnclassified)]
}

// parentDeathRows lists the endings of threads whose children got a signal, most children first.
func parentDeathRows(l *ledger) (rows []ParentDeath) {
	for k, n := range l.parentDeaths {
		rows = append(rows, ParentDeath{k.signal, k.function, n.threads, n.children})
	}
	slices.SortFunc(rows, func(a, b ParentDeath) int {
		return cmp.Or(cmp.Compare(b.Children, a.Children), cmp.Compare(a.Function, b.Function),
			cmp.Compare(a.Signal, b.Signal))
	})
	return rows
}

// handoffRows joins the hand-offs of a ledger by the name of the function, most first.
func (p *program) handoffRows(l *ledger) []EntryHandoff {
	byName := map[string]*EntryHandoff{}
	for _, entry := range slices.Sorted(maps.Keys(l.handoffs)) {
		h, name := l.handoffs[entry], ""
		if entry != 0 {
			name = p.function(entry)
		}
		row := byName[name]
		if row == nil {
			row = &EntryHandoff{Entry: name}
			byName[name] = row
		}
		row.add(&h.Handoff)
		row.Wake.Merge(&h.wake)
		row.Relays.Merge(&h.relays)
		row.Threads = append(row.Threads, slices.Collect(maps.Keys(h.threads))...)
	}
	var rows []EntryHandoff
	for _, row := range byName {
		slices.Sort(row.Threads)
		row.Threads = slices.Compact(row.Threads)
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b EntryHandoff) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Entry, b.Entry))
	})
	return rows
}

// finalSites returns the counters of the window's sites, with the holds of threads that are free
// now and can no longer turn out to be held.
func (w *window) finalSites() map[uint64]*siteCounts {
	all := map[uint64]*siteCounts{}
	for stack, s := range w.sites {
		final := *s
		all[stack] = &final
	}
	for _, t := range w.threads {
		p, o := &t.pins, t.pins.outermost()
		if o == nil || p.free == 0 || !w.contains(o.begin) || !w.contains(p.free) {
			continue
		}
		if all[o.stack] == nil {
			all[o.stack] = &siteCounts{}
		}
		all[o.stack].release(p)
	}
	return all
}

// siteRows joins the stacks that begin at one place and shows the most frequent of them.
func (p *program) siteRows(w *window) []Site {
	type place struct {
		function, file string
		line           int
	}
	rows := map[place]*Site{}
	most := map[place]uint64{}
	sites := w.finalSites()
	for _, id := range slices.Sorted(maps.Keys(sites)) {
		s, frames := sites[id], p.callers(id)
		where := place{function: cause.Unknown}
		if len(frames) > 0 {
			where = place{frames[0].Func, frames[0].File, frames[0].Line}
		}
		row := rows[where]
		if row == nil {
			row = &Site{Function: where.function, File: where.file, Line: where.line}
			rows[where] = row
		}
		if s.calls > most[where] {
			most[where], row.Stack = s.calls, frameTexts(frames)
		}
		row.Calls += s.calls
		row.Outer += s.outer
		row.Released += s.released
		row.Ended += s.ended
		row.Held += s.outer - min(s.outer, s.released+s.ended)
		row.HeldMin += s.heldMin
		row.HeldMax += s.heldMax
	}
	list := []Site{}
	for _, row := range rows {
		list = append(list, *row)
	}
	slices.SortFunc(list, func(a, b Site) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Function, b.Function),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.File, b.File))
	})
	return list
}

// lockSites returns the calls behind the lock of a thread, the newest first: of one whose goroutine
// exited while locked the outermost.
func (c *Correlator) lockSites(t *thread, state string) (sites []string) {
	switch state {
	case "exiting", "wedged":
		if last := c.locks.lastPin(t); last != 0 {
			return []string{c.program.siteName(last)}
		}
	case "user":
		for _, call := range slices.Backward(t.pins.calls) {
			sites = append(sites, c.program.siteName(call.stack))
		}
	}
	return sites
}

// String returns "function (file:line)", as far as these are known.
func (f Frame) String() string {
	name := cmp.Or(f.Func, "?")
	if f.File == "" {
		return name
	}
	return fmt.Sprintf("%s (%s:%d)", name, path.Base(f.File), f.Line)
}

func frameTexts(frames []Frame) []string {
	var texts []string
	for _, f := range frames {
		texts = append(texts, f.String())
	}
	return texts
}
