package correlate

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// pinned is a call of LockOSThread on a thread that has not been undone, as far as is known.
type pinned struct {
	stack, goid uint64
	at          events.Time
}

// maxPins is how many nested calls are remembered by their sites.
const maxPins = 4

// site is what a window knows of the calls with one stack.
type site struct {
	calls, outer, released uint64
	heldMin, heldMax       int64
}

// pin handles a Pin: the thread enters runtime.LockOSThread.
func (c *Correlator) pin(e *events.Event) {
	t := c.known(e.TID)
	p := pinned{stack: e.Args[events.ArgPinStack], goid: e.Args[events.ArgPinGoID], at: e.Time}
	outer := e.Args[events.ArgPinExt] == 0
	if outer {
		c.release(t, e.Time) // whatever was held has been let go unseen
		t.lastPin = p.stack
	}
	if len(t.lock.pins) < maxPins {
		t.lock.pins = append(t.lock.pins, p)
	}
	for _, w := range c.windows {
		if !w.contains(e.Time) {
			continue
		}
		s := w.site(p.stack)
		s.calls++
		if outer {
			s.outer++
		}
	}
}

// release ends the outermost pin that the probe saw: at this moment its lock is not held. It was let go after the last
// observation that found it held.
func (c *Correlator) release(t *thread, at events.Time) {
	if len(t.lock.pins) == 0 || t.lock.pins[0].at >= at {
		return
	}
	p := t.lock.pins[0]
	t.lock.pins = nil
	least := int64(0)
	if heldByUser(t.lock.kind) && t.lock.since == p.at {
		least = int64(t.lock.seen - p.at)
	}
	for _, w := range c.windows {
		if w.contains(p.at) && w.contains(at) {
			s := w.site(p.stack)
			s.released++
			s.heldMin += least
			s.heldMax += int64(at - p.at)
		}
	}
}

func (w *window) site(stack uint64) *site {
	if w.sites[stack] == nil {
		w.sites[stack] = &site{}
	}
	return w.sites[stack]
}

// callers is the stack of a call of LockOSThread without that function itself.
func (c *Correlator) callers(stack uint64) []Frame {
	frames := c.cfg.Stack(stack)
	for len(frames) > 0 && frames[0].Func == "runtime.LockOSThread" {
		frames = frames[1:]
	}
	return frames
}

func (f Frame) String() string {
	name := cmp.Or(f.Func, "?")
	if f.File == "" {
		return name
	}
	return fmt.Sprintf("%s (%s:%d)", name, path.Base(f.File), f.Line)
}

func (c *Correlator) siteName(stack uint64) string {
	if frames := c.callers(stack); len(frames) > 0 {
		return frames[0].String()
	}
	return causeUnknown
}

// siteRows joins the stacks that begin at one place and shows the most frequent of them.
func (c *Correlator) siteRows(w *window) []Site {
	type place struct {
		function, file string
		line           int
	}
	rows := map[place]*Site{}
	most := map[place]uint64{}
	for _, id := range sortedKeys(w.sites) {
		s, frames := w.sites[id], c.callers(id)
		at := place{function: causeUnknown}
		if len(frames) > 0 {
			at = place{frames[0].Func, frames[0].File, frames[0].Line}
		}
		row := rows[at]
		if row == nil {
			row = &Site{Function: at.function, File: at.file, Line: at.line}
			rows[at] = row
		}
		if s.calls > most[at] {
			most[at], row.Stack = s.calls, frameNames(frames)
		}
		row.Calls += s.calls
		row.Outer += s.outer
		row.Released += s.released
		row.Held += s.outer - min(s.outer, s.released)
		row.HeldMin += s.heldMin
		row.HeldMax += s.heldMax
	}
	list := []Site{}
	if !c.cfg.Sites {
		return nil
	}
	for _, row := range rows {
		list = append(list, *row)
	}
	slices.SortFunc(list, func(a, b Site) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Line, b.Line), cmp.Compare(a.File, b.File))
	})
	return list
}

func frameNames(frames []Frame) []string {
	var names []string
	for _, f := range frames {
		names = append(names, f.String())
	}
	return names
}

func sortedKeys[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
