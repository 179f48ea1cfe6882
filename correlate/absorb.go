package correlate

import (
	"cmp"
	"slices"

	"github.com/pinwatch/pinwatch/events"
)

// around is the window that an interval is a part of; nil = none any more.
func (c *Correlator) around(w *window) *window {
	for _, whole := range c.windows {
		if w.interval && !whole.interval && whole.start <= w.start {
			return whole
		}
	}
	return nil
}

// absorb adds what an interval holds to the whole observation. Losses, broken links and the most threads locked at one time are told to
// every window as they happen.
func (c *Correlator) absorb(w *window) {
	whole := c.around(w)
	if whole == nil {
		return
	}
	whole.execs += w.execs
	whole.sent += w.sent
	whole.notInjected += w.notInjected
	whole.exitedLocked += w.exitedLocked
	whole.counts.add(&w.counts)
	whole.locks.Observations += w.locks.Observations
	whole.locks.Unknown += w.locks.Unknown
	whole.moves.add(&w.moves)
	for p := range w.costs {
		for i, k := range w.costs[p] {
			if k != nil {
				whole.costs[p].at(part(i)).merge(k)
			}
		}
	}
	addAll(whole.causes, w.causes)
	addAll(whole.others, w.others)
	for stack, s := range w.sites {
		whole.site(stack).add(s)
	}
	for entry, a := range w.ledger {
		whole.account(entry).merge(a)
	}
	for _, t := range w.threads {
		c.shareWith(whole, w, t)
	}
}

// shareWith moves a thread's share of an interval to the whole. It is the interval's until it has arrived: no share, and the thread would
// be one that can be forgotten.
func (c *Correlator) shareWith(whole, w *window, t *thread) {
	s := &t.shares[w.slot]
	c.share(whole, t).add(s)
	t.woken[whole.slot].follow(&t.woken[w.slot])
	*s = share{}
}

func addAll[K comparable](to, from map[K]uint64) {
	for k, n := range from {
		to[k] += n
	}
}

// add adds the counts that grow with events; the others are made for each Result.
func (n *Counts) add(o *Counts) {
	n.ThreadsCreated += o.ThreadsCreated
	n.ThreadsExited += o.ThreadsExited
	n.ThreadsKilled += o.ThreadsKilled
	n.SigurgGenerated += o.SigurgGenerated
	n.SigurgCoalesced += o.SigurgCoalesced
	n.SigurgDelivered += o.SigurgDelivered
	n.SigurgForeign += o.SigurgForeign
}

// add adds the share of a later part of the window.
func (s *share) add(o *share) {
	s.switches += o.switches
	s.migrations += o.migrations
	for class, ns := range o.time {
		s.time[class] += ns
	}
	s.cpus.addAll(&o.cpus)
	s.maxExt = max(s.maxExt, o.maxExt)
	s.holds += o.holds
}

// forgetEnded keeps the busiest of the ended threads and only sums of the others, so that churn costs no memory. What an interval
// forgets is told to the whole at once; a thread that an interval still lists is not the whole's to forget, nor one that was alive at the end
// of a window that window's.
func (c *Correlator) forgetEnded(w *window) {
	all := w.threads
	w.threads = w.threads[:0]
	ended := c.ended
	c.ended = nil // what an interval forgets may be the whole's occasion to forget
	for _, t := range all {
		if t.deadAt == 0 || t.deadAt >= w.until() || c.inInterval(w, t) {
			w.list(t)
		} else {
			ended = append(ended, endedThread{t, t.shares[w.slot].time[classRun]})
		}
	}
	slices.SortFunc(ended, func(a, b endedThread) int {
		if a.run != b.run {
			return cmp.Compare(b.run, a.run)
		}
		return cmp.Compare(a.shares[w.slot].place, b.shares[w.slot].place)
	})
	keep := min(len(ended), c.keep)
	for _, e := range ended[:keep] {
		w.list(e.thread)
	}
	clear(all[len(w.threads):])
	for _, e := range ended[keep:] {
		c.forget(w, e.thread)
	}
	if keep == c.keep {
		w.leastKept = ended[keep-1].run
	}
	clear(ended)
	c.ended = ended[:0]
}

// forgetFreed forgets a thread that has just ended wherever it ran less than all that are kept: those that come next take its memory while
// it is in the caches.
func (c *Correlator) forgetFreed(t *thread) {
	for _, w := range slices.Backward(c.windows) { // what an interval forgets comes to the whole
		s := &t.shares[w.slot]
		switch {
		case s.window != w.id:
		case s.place == forgotten:
			*s = share{}
			c.unuse(t)
		case w.end == 0 && s.time[classRun] < w.leastKept && !c.inInterval(w, t):
			w.unlist(t)
			c.forget(w, t)
		}
	}
}

// forgotten is the place of a thread that has been, but may have events to come: until its sched_process_free it keeps its share, so that these
// do not make it another.
const forgotten = -1

// forget keeps only the sums of an ended thread, which is no longer in the list.
func (c *Correlator) forget(w *window, t *thread) {
	s := &t.shares[w.slot]
	w.dropped.switches += s.switches
	w.dropped.migrations += s.migrations
	w.droppedN++
	if whole := c.around(w); whole != nil {
		c.shareWith(whole, w, t)
	} else if c.threads.get(t.tid) == t {
		s.place = forgotten
	} else {
		*s = share{}
		c.unuse(t)
	}
}

// endedThread is one that can be forgotten, and how long it ran in the window.
type endedThread struct {
	*thread
	run int64
}

// inInterval reports whether a part of the window has a share of the thread.
func (c *Correlator) inInterval(w *window, t *thread) bool {
	for _, i := range c.windows {
		if i != w && i.interval && !w.interval && t.shares[i.slot].window == i.id {
			return true
		}
	}
	return false
}

// moves are a window's migrations.
type moves struct {
	byWhy      [len(whyNames)]uint64
	byDistance map[string]uint64
}

func (m *moves) add(o *moves) {
	for why, n := range o.byWhy {
		m.byWhy[why] += n
	}
	addAll(m.byDistance, o.byDistance)
}

func (m *moves) result() Moves {
	r := Moves{ByWhy: map[string]uint64{}, ByDistance: m.byDistance}
	for why, n := range m.byWhy {
		if n > 0 {
			r.ByWhy[whyNames[why]] = n
		}
	}
	return r
}

// accountAcross is account for a time that a boundary may lie in: an interval's part of it is not the whole's own.
func (c *Correlator) accountAcross(t *thread, class timeClass, from, to events.Time) {
	within := int64(0)
	for i := len(c.windows) - 1; i >= 0; i-- {
		w := c.windows[i]
		ns := overlap(from, to, w.start, w.until())
		if w.interval {
			within += ns
		} else {
			ns -= within
		}
		if ns > 0 {
			c.share(w, t).time[class] += ns
		}
	}
}
