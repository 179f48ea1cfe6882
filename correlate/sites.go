package correlate

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// pinned is a call of LockOSThread that has not been undone, as far as is known.
type pinned struct {
	stack, goid uint64
	at          events.Time
	depth       uint32 // 1 = the thread was not locked before
}

// pins are a thread's, the outermost first. One is at its place before LockOSThread has counted, and even makes a thread before
// that: an observation that finds the thread free may come too early, and proves a release only if none finds it held later on.
type pins struct {
	calls []pinned
	held  events.Time // the last observation that found the outermost's lock held; 0 = none
	free  events.Time // the first observation since then that did not; 0 = none
	last  uint64      // stack of the last outermost call; 0 = none
}

// maxPins is how many nested calls are remembered by their sites.
const maxPins = 4

// outer is the call that began the present hold, if the probe saw it.
func (p *pins) outer() *pinned {
	if len(p.calls) > 0 && p.calls[0].depth == 1 {
		return &p.calls[0]
	}
	return nil
}

// begun is when the present hold by a goroutine began; 0 = not seen.
func (p *pins) begun(goid uint64) events.Time {
	if o := p.outer(); o != nil && o.goid == goid {
		return o.at
	}
	return 0
}

// to forgets calls deeper than a depth.
func (p *pins) to(depth uint32) {
	for n := len(p.calls); n > 0 && p.calls[n-1].depth > depth; n-- {
		p.calls = p.calls[:n-1]
	}
}

// site is what a window knows of the calls with one stack.
type site struct {
	calls, outer, ended uint64
	heldMin, heldMax    int64
}

// pin handles a Pin: the thread enters runtime.LockOSThread.
func (c *Correlator) pin(e *events.Event) {
	t := c.known(e.TID)
	before := e.Args[events.ArgPinExt]
	p := pinned{stack: e.Args[events.ArgPinStack], goid: e.Args[events.ArgPinGoID], at: e.Time, depth: uint32(before) + 1}
	if before == 0 {
		c.settlePins(t, e.Time) // whatever was held has been let go
		t.pins.last = p.stack
	}
	if before < math.MaxUint32 { // else the depth is not known
		t.pins.to(uint32(before))
		if len(t.pins.calls) < maxPins {
			t.pins.calls = append(t.pins.calls, p)
		}
	}
	if w := c.inner(e.Time, e.Time); w != nil {
		s := w.site(p.stack)
		s.calls++
		if before == 0 {
			s.outer++
		}
	}
}

// pinsSeen tells a thread's pins what the lock has been found to be; blocked: as the thread left its CPU of its own will.
func (c *Correlator) pinsSeen(t *thread, at events.Time, blocked bool) {
	o := t.pins.outer()
	switch {
	case o == nil && !heldByUser(t.lock.kind):
		t.pins.to(0)
	case o == nil || o.at >= at:
	case !heldByUser(t.lock.kind):
		if blocked && t.pins.free == 0 {
			t.pins.free = at
		}
	case t.lock.goid == o.goid:
		t.pins.held, t.pins.free = at, 0
	default:
		c.settlePins(t, at)
	}
	if heldByUser(t.lock.kind) {
		t.pins.to(t.lock.ext)
	}
}

// settlePins ends the hold that the probe saw begin: at this moment it has been let go, or before.
func (c *Correlator) settlePins(t *thread, at events.Time) {
	if o := t.pins.outer(); o != nil {
		t.pins.free = cmp.Or(t.pins.free, at)
		if w := c.inner(min(o.at, t.pins.free), max(o.at, t.pins.free)); w != nil {
			w.site(o.stack).released(&t.pins)
		}
	}
	t.pins = pins{last: t.pins.last}
}

// released counts a hold that the probe saw begin and that has been seen to be let go.
func (s *site) released(p *pins) {
	o := p.outer()
	s.ended++
	s.heldMin += max(0, int64(p.held-o.at))
	s.heldMax += int64(p.free - o.at)
}

func (s *site) add(o *site) {
	s.calls += o.calls
	s.outer += o.outer
	s.ended += o.ended
	s.heldMin += o.heldMin
	s.heldMax += o.heldMax
}

// sitesAtEnd are the window's, with the holds of threads that are free now, and can be proved wrong no more.
func (w *window) sitesAtEnd() map[uint64]*site {
	all := map[uint64]*site{}
	for stack, s := range w.sites {
		at := *s
		all[stack] = &at
	}
	for _, t := range w.threads {
		p, o := &t.pins, t.pins.outer()
		if o == nil || p.free == 0 || !w.contains(o.at) || !w.contains(p.free) {
			continue
		}
		if all[o.stack] == nil {
			all[o.stack] = &site{}
		}
		all[o.stack].released(p)
	}
	return all
}

// lockSites are the calls behind the lock of a thread, the newest first: of one whose goroutine exited while locked the outermost.
func (c *Correlator) lockSites(t *thread, state string) (sites []string) {
	switch state {
	case "exiting", "wedged":
		if last := c.lastPin(t); last != 0 {
			return []string{c.siteName(last)}
		}
	case "user":
		for i := len(t.pins.calls) - 1; i >= 0; i-- {
			sites = append(sites, c.siteName(t.pins.calls[i].stack))
		}
	}
	return sites
}

// lastPin is the stack of the call that locked a thread last; 0 where the probe is off or its records were lost.
func (c *Correlator) lastPin(t *thread) uint64 {
	if c.pinsLost {
		return 0
	}
	return t.pins.last
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
	sites := w.sitesAtEnd()
	for _, id := range sortedKeys(sites) {
		s, frames := sites[id], c.callers(id)
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
		row.Released += s.ended
		row.Held += s.outer - min(s.outer, s.ended)
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
