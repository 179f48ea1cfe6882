package correlate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/correlate/internal/cause"
	"github.com/pinwatch/pinwatch/correlate/internal/stops"
	"github.com/pinwatch/pinwatch/correlate/stats"
	"github.com/pinwatch/pinwatch/events"
)

// stopFunction sends the signals of a stop of the world.
const stopFunction = "runtime.stopTheWorldWithSema"

// sendStop notes that a thread sends a signal now, if it is one that stops the world.
func (c *Correlator) sendStop(t *thread, now events.Time) {
	if t.sending == nil || t.sending.why.Cause != cause.StopTheWorld || c.cfg.Aggregate {
		return
	}
	for _, f := range c.program.stack(t.sending.stack) {
		if f.Func == stopFunction {
			t.stops.TID, t.stops.NSTID = t.tid, t.nsTID
			c.stops.Send(&t.stops, t.sending.why.Reason, f.Line, now)
			return
		}
	}
}

// stopTurn takes a thread's turn for the stop of the world that may be in progress.
func (c *Correlator) stopTurn(t *thread, e *events.Event, out, wake, in events.Time) {
	if c.cfg.Aggregate {
		return
	}
	if !e.Has(events.SwitchRun) || !e.Has(events.SwitchOff) {
		c.stops.Lost(&t.stops)
		return
	}
	r := stops.Turn{Out: out, Wake: wake, In: in, Now: e.Time, Waker: uint32(e.Args[events.ArgWaker]),
		Preempted: e.Has(events.SwitchPreempted)}
	if c.stops.Active() && c.windows.bans.newest > out {
		r.Paused = c.windows.bans.process.within(out, wake)
		if int(e.CPU) < len(c.windows.bans.cpus) {
			r.Throttled = c.windows.bans.cpus[e.CPU].within(wake, in)
		}
	}
	t.stops.TID, t.stops.NSTID = t.tid, t.nsTID
	c.stops.Turn(&t.stops, &r)
}

// stopsUnknown returns why stops are not known; "" = they are.
func (c *Correlator) stopsUnknown() string {
	switch {
	case c.cfg.Aggregate:
		return "switches are added up (--aggregate)"
	case c.cfg.NoPreemption:
		return "the target sends no signals to stop its threads (GODEBUG=asyncpreemptoff=1)"
	case c.program.asyncPreempt == 0:
		return "the target's runtime sends no signals to stop its threads (before Go 1.14), or could not be read"
	}
	return ""
}

func (c *Correlator) stoppingThread(tid uint32) *stops.Thread {
	if t := c.threads.get(tid); t != nil {
		return &t.stops
	}
	return nil
}

// stopKind is what a stop is for, as the runtime's metrics tell them apart.
type stopKind uint8

const (
	stopOther stopKind = iota
	stopGC
	stopUnknown
	stopKinds
)

var stopKindWords = [stopKinds]string{"other", "gc", "unknown"}

// stopKindOf returns the kind of a reason of internal/cause.
func stopKindOf(reason string) stopKind {
	switch {
	case strings.HasPrefix(reason, "GC "):
		return stopGC
	case reason == cause.Unknown:
		return stopUnknown
	}
	return stopOther
}

// stopCounts are a window's stops of one kind.
type stopCounts struct {
	begun uint64
	took  stats.Histogram
}

// StopDelayed is the time from which on a stop is a delayed one, ns: the runtime's own are some 10 µs,
// and the collector is made to keep its pauses far below a millisecond.
const StopDelayed = 1_000_000

// stopDelayKey is what a delayed stop waited for.
type stopDelayKey struct {
	tid      int32 // 0 = not known, or one of those for which there was no room
	why      stops.Why
	function string
}

type stopDelayCounts struct {
	n        uint64
	sum, max int64
}

// maxStopDelays bounds the kinds of delays that are kept apart.
const maxStopDelays = 256

func (c *Correlator) stopBegun(reason string, begin events.Time) {
	c.windows.count(begin, func(l *ledger) *uint64 { return &l.stops[stopKindOf(reason)].begun })
}

func (c *Correlator) stopEnded(s *stops.Stop) {
	w := c.windows.find(s.Begin, s.End)
	if w == nil {
		return
	}
	took := int64(s.End - s.Begin)
	w.stops[stopKindOf(s.Reason)].took.Add(took)
	if took < StopDelayed {
		return
	}
	key := stopDelayKey{tid: s.Last.NSTID, why: s.Why}
	if s.PC != 0 {
		key.function = c.cfg.Code(s.PC)
	}
	w.addStopDelay(key, stopDelayCounts{1, took, took})
}

func (l *ledger) addStopDelay(key stopDelayKey, more stopDelayCounts) {
	if _, ok := l.stopDelays[key]; !ok && len(l.stopDelays) >= maxStopDelays {
		key = stopDelayKey{why: key.why}
	}
	d := l.stopDelays[key]
	l.stopDelays[key] = stopDelayCounts{d.n + more.n, d.sum + more.sum, max(d.max, more.max)}
}

// addStops adds the stops of a part of the window.
func (l *ledger) addStops(o *ledger) {
	for kind := range o.stops {
		l.stops[kind].begun += o.stops[kind].begun
		l.stops[kind].took.Merge(&o.stops[kind].took)
	}
	for key, d := range o.stopDelays {
		l.addStopDelay(key, d)
	}
}

func (l *ledger) stopRows() ([]Stops, []StopDelay) {
	rows := make([]Stops, 0, stopKinds)
	for kind, s := range l.stops {
		if s.begun > 0 {
			rows = append(rows, Stops{stopKindWords[kind], s.took, s.begun - uint64(s.took.N())})
		}
	}
	var delays []StopDelay
	for key, d := range l.stopDelays {
		delays = append(delays, StopDelay{TID: key.tid, Why: key.why.String(), Function: key.function,
			N: d.n, Sum: d.sum, Max: d.max})
	}
	slices.SortFunc(delays, func(a, b StopDelay) int {
		return cmp.Or(cmp.Compare(b.Sum, a.Sum), cmp.Compare(a.TID, b.TID), cmp.Compare(a.Why, b.Why),
			cmp.Compare(a.Function, b.Function))
	})
	return rows, delays
}
