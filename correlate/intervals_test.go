package correlate

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/pinwatch/pinwatch/events"
)

// Cutting an observation into intervals changes nothing in the whole.
func TestIntervalsAddUpToTheWhole(t *testing.T) {
	for name, record := range map[string]func() *recording{
		"pingpong": func() *recording { return pingPong(8) }, "crowd": func() *recording { return crowd(100) },
		"churn": churn, "storm": storm,
	} {
		uncut, intervals := whole(t, record(), false)
		cut, more := whole(t, record(), true)
		if intervals != 0 || more < 5 {
			t.Fatalf("%s: %d and %d intervals", name, intervals, more)
		}
		if cut != uncut {
			t.Errorf("%s: in intervals\n%s\nuncut\n%s", name, cut, uncut)
		}
	}
}

// whole correlates a recording, with a snapshot at every possible cut, and prints the whole's
// Result.
func whole(t *testing.T, r *recording, cut bool) (text string, intervals int) {
	t.Helper()
	const every = events.Time(3e6)
	begin := r.events[0].Time - 1
	c := r.correlator(8)
	c.windows.list, c.windows.open, c.windows.boundary = nil, nil, 0
	var out bytes.Buffer
	add := func(kind events.Kind, at events.Time, flags uint8) {
		for _, r := range c.Add(&events.Event{Kind: kind, Time: at, Flags: flags}) {
			if err := Validate(r); err != nil {
				t.Error(err)
			}
			if r.Interval {
				intervals++
				continue
			}
			dump(&out, r)
			for _, h := range r.Handoffs {
				fmt.Fprintln(&out, h.Entry, h.Threads, h.Handoff, h.Wake.N(), h.Wake.Mean(), h.Relays.N(), h.Relays.Mean())
			}
		}
	}
	flags := uint8(0)
	if cut {
		flags = events.WindowIntervals
	}
	add(events.WindowStart, begin, flags)
	next := begin + every
	for i := range r.events {
		e := &r.events[i]
		if e.Time >= next {
			if cut {
				add(events.WindowCut, next, 0)
			}
			for th := range c.threads.all { // as if none had woken since it left its CPU
				c.Add(&events.Event{Kind: events.Thread, Time: next, TID: th.tid, Args: [8]uint64{
					events.ArgOff: uint64(th.lastOut), events.ArgNSTID: uint64(th.nsTID),
				}})
			}
			next += every
		}
		c.Add(e)
		if cut && i%500 == 499 {
			add(events.WindowSettled, e.Time, 0)
		}
	}
	end := r.events[len(r.events)-1].Time + 1
	add(events.WindowEnd, end, 0)
	add(events.WindowSettled, end, 0)
	return out.String(), intervals
}
