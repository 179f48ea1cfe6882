package correlate

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
)

// BenchmarkPingPong is goroutines locked to their threads that wake each other: the highest rate of
// switches.
func BenchmarkPingPong(b *testing.B) {
	for _, n := range []uint32{2, 8} {
		b.Run(fmt.Sprintf("threads=%d", n), func(b *testing.B) { replayAll(b, pingPong(n), n) })
	}
}

// BenchmarkCrowd is ever more threads that run in no order: no cache holds 10,000.
func BenchmarkCrowd(b *testing.B) {
	for _, n := range []uint32{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("threads=%d", n), func(b *testing.B) { replayAll(b, crowd(n), n/2) })
	}
}

// BenchmarkChurn is threads that begin and end.
func BenchmarkChurn(b *testing.B) { replayAll(b, churn(), 0) }

// BenchmarkStorm is threads that send each other SIGURG.
func BenchmarkStorm(b *testing.B) { replayAll(b, storm(), 0) }

func replayAll(b *testing.B, r *recording, locked uint32) {
	c := r.correlator(locked)
	for range r.events { // makes all threads and rows
		r.replay(c)
	}
	m := startMeter(b)
	for b.Loop() {
		r.replay(c)
	}
	m.report(b, b.N)
	if n := c.windows.list[0].loss.BrokenLinks; n != 0 {
		b.Fatalf("%d broken links", n)
	}
}

// meter measures by this process's CPU time, so that a busy machine changes the rate less.
type meter struct{ spent time.Duration }

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func startMeter(b *testing.B) meter {
	b.ReportAllocs()
	return meter{cpuTime(b)}
}

func (m meter) report(b *testing.B, events int) {
	spent := cpuTime(b) - m.spent
	b.ReportMetric(float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
	b.ReportMetric(float64(events)/spent.Seconds()/1e6, "Mevents/cpu-s")
	b.ReportMetric(float64(spent)/float64(events), "cpu-ns/event")
}

// No event allocates: threads and signals that have ended are used again.
func TestEventsAllocateNothing(t *testing.T) {
	for name, r := range map[string]*recording{"pingpong": pingPong(8), "churn": churn(), "storm": storm()} {
		t.Run(name, func(t *testing.T) {
			c := r.correlator(8)
			all := func() {
				for range r.events {
					r.replay(c)
				}
			}
			for range 10 { // makes the rows and the threads
				all()
			}
			if n := testing.AllocsPerRun(3, all); n != 0 {
				t.Errorf("%g allocations in %d events", n, len(r.events))
			}
		})
	}
}

// BenchmarkPath is the whole path of a switch record in user space: decode it, put it into order,
// correlate it. Records come in batches of 20 ms, in each those of one CPU after those of the
// other.
func BenchmarkPath(b *testing.B) {
	for _, n := range []uint32{2, 100, 10_000} {
		b.Run(fmt.Sprintf("threads=%d", n), func(b *testing.B) {
			if n == 2 {
				wholePath(b, pingPong(n), n)
			} else {
				wholePath(b, crowd(n), n/2)
			}
		})
	}
}

const switchSize = 48 // bytes of struct event_switch in bpf/event.h

func wholePath(b *testing.B, r *recording, locked uint32) {
	c := r.correlator(locked)
	const batch = events.Time(20e6)
	var raw []byte
	begin := r.events[0].Time
	for from := begin; from < begin+r.period; from += batch {
		for cpu := range uint16(2) {
			for i := range r.events {
				if e := &r.events[i]; e.CPU == cpu && e.Time >= from && e.Time < from+batch {
					raw = appendSwitch(raw, e)
				}
			}
		}
	}
	var order events.Reorder
	add := func(e *events.Event) { c.Add(e) }
	end, i := begin+batch, 0
	var e events.Event
	m := startMeter(b)
	for b.Loop() {
		record := raw[i : i+switchSize]
		if err := events.Decode(record, &e, nil); err != nil {
			b.Fatal(err)
		}
		if e.Time >= end { // the first of the next batch
			order.Release(end-batch/2, add)
			end += batch
		}
		order.Push(&e)
		binary.LittleEndian.PutUint64(record, uint64(e.Time+r.period))
		if i += switchSize; i == len(raw) {
			i = 0
			order.Release(e.Time-batch/2, add)
			end = begin + r.period + batch
			begin += r.period
		}
	}
	m.report(b, b.N)
	if late, broken := order.Late(), c.windows.list[0].loss.BrokenLinks; late+broken != 0 {
		b.Fatalf("%d late, %d broken links", late, broken)
	}
}

func appendSwitch(raw []byte, e *events.Event) []byte {
	le := binary.LittleEndian
	raw = le.AppendUint64(raw, uint64(e.Time))
	raw = le.AppendUint32(raw, e.TID)
	raw = le.AppendUint16(raw, e.CPU)
	raw = append(raw, uint8(e.Kind), e.Flags)
	for _, ns := range e.Args[:3] {
		raw = le.AppendUint64(raw, ns)
	}
	raw = le.AppendUint32(raw, uint32(e.Args[events.ArgWaker]))
	raw = le.AppendUint16(raw, uint16(e.Args[events.ArgLastCPU]))
	return append(raw, uint8(e.Args[events.ArgWhy]), uint8(e.Args[events.ArgLock]))
}

// BenchmarkHundredMillion is the memory of a long observation.
func BenchmarkHundredMillion(b *testing.B) {
	const total = 100_000_000
	m := startMeter(b)
	var rss uint64
	for b.Loop() {
		s := newStream()
		for s.sent < total {
			s.step()
		}
		rss = max(rss, rssAnon(b))
		s.finish()
		if s.whole == nil || s.invalid != nil {
			b.Fatalf("whole observation: %v, invalid: %v", s.whole != nil, s.invalid)
		}
	}
	b.ReportMetric(float64(rss)/(1<<20), "MiB-RssAnon")
	m.report(b, total*b.N)
}
