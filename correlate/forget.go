package correlate

import (
	"cmp"
	"slices"
)

// maxEndedThreads is how many ended threads a Result lists at least; of the others only the sums
// are kept.
const maxEndedThreads = 1000

// forgetFrom is how many threads a window lists before it forgets any, as a multiple of those that
// it keeps at least.
const forgetFrom = 4

// forgotten is the place of a thread that is forgotten, but may have events to come: until its
// sched_process_free it keeps its share, so that these do not make it another thread.
const forgotten = -1

// endedThread is a thread that can be forgotten, and how long it ran in the window.
type endedThread struct {
	*thread
	run int64
}

// forgetEnded keeps the busiest of the ended threads and only sums of the others, so that churn
// costs no memory. The whole takes over at once what an interval forgets. A thread stays listed if
// it lived at the window's end. The whole also keeps a thread that an interval still lists.
func (ws *windows) forgetEnded(w *window) {
	all := w.threads
	w.threads = w.threads[:0]
	ended := ws.ended
	ws.ended = nil // what an interval forgets may make the whole forget, too
	for _, t := range all {
		if t.deadAt == 0 || t.deadAt >= w.endOrMax() || ws.inInterval(w, t) {
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
	keep := min(len(ended), ws.keep)
	for _, e := range ended[:keep] {
		w.list(e.thread)
	}
	clear(all[len(w.threads):])
	for _, e := range ended[keep:] {
		ws.forget(w, e.thread)
	}
	if keep == ws.keep {
		w.leastKept = ended[keep-1].run
	}
	clear(ended)
	ws.ended = ended[:0]
}

// forgetFreed forgets a thread that has just ended wherever it ran less than all that are kept:
// those that come next take its memory while it is in the caches.
func (ws *windows) forgetFreed(t *thread) {
	for _, w := range slices.Backward(ws.list) { // intervals first: they add to the whole
		s := &t.shares[w.slot]
		switch {
		case s.window != w.id:
		case s.place == forgotten:
			*s = share{}
			ws.reuse(t)
		case w.end == 0 && s.time[classRun] < w.leastKept && !ws.inInterval(w, t):
			w.unlist(t)
			ws.forget(w, t)
		}
	}
}

// forget keeps only the sums of an ended thread, which is no longer in the list.
func (ws *windows) forget(w *window, t *thread) {
	s := &t.shares[w.slot]
	w.dropped.switches += s.switches
	w.dropped.migrations += s.migrations
	w.droppedN++
	if whole := ws.whole(w); whole != nil {
		ws.moveShare(whole, w, t)
	} else if ws.threads.get(t.tid) == t {
		s.place = forgotten
	} else {
		*s = share{}
		ws.reuse(t)
	}
}

// reuse gives back the memory of a thread that has no tid any more, if no window has a share of it.
func (ws *windows) reuse(t *thread) {
	if !slices.ContainsFunc(ws.list, t.hasShare) {
		ws.threads.reuse(t)
	}
}

// inInterval reports whether a part of the window has a share of the thread.
func (ws *windows) inInterval(w *window, t *thread) bool {
	for _, i := range ws.list {
		if i != w && i.interval && !w.interval && t.hasShare(i) {
			return true
		}
	}
	return false
}
