package correlate

import (
	"testing"

	"github.com/pinwatch/pinwatch/events"
)

// BenchmarkTurns is the hot path: switch records of 100 threads.
func BenchmarkTurns(b *testing.B) {
	c := New(Config{TGID: 1})
	const threads = 100
	at := events.Time(1000)
	for tid := uint32(1); tid <= threads; tid++ {
		c.Add(&events.Event{Kind: events.Thread, Time: at, TID: tid})
	}
	c.Add(&events.Event{Kind: events.WindowStart, Time: at})
	last := [threads + 1]events.Time{}
	e := events.Event{Kind: events.Switch, Flags: events.SwitchRun | events.SwitchOff | events.SwitchWake}
	tid := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		tid = tid%threads + 1
		at += 1000
		e.TID, e.Time, e.Flags = tid, at, events.SwitchRun
		if last[tid] != 0 {
			away := uint64(at-last[tid]) - 900
			e.Flags |= events.SwitchOff | events.SwitchWake
			e.Args = [8]uint64{900, away / 2, away - away/2}
		}
		last[tid] = at
		c.Add(&e)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}
