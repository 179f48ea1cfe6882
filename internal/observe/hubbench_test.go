package observe

import (
	"fmt"
	"testing"

	"github.com/pinwatch/pinwatch/events"
)

// BenchmarkHub measures what a switch record of one of several targets costs from the buffers to the
// target's correlator; 0 targets: of the one target of a loop without a hub.
func BenchmarkHub(b *testing.B) {
	const cpus, perCPU, threads = 2, 2048, 8
	for _, targets := range []int{0, 1, 4, 64} {
		b.Run(fmt.Sprint(targets), func(b *testing.B) {
			alone := targets == 0
			targets = max(1, targets)
			x := newHubTest(b)
			var tids []uint32
			for i := range targets {
				f := &fakeTarget{k: x.k, id: 6_000_000 + 1000*i, slot: uint32(i)}
				for n := range threads {
					f.tids = append(f.tids, uint32(f.id+n))
				}
				tids = append(tids, f.tids...)
				x.k.running[f.id] = f
				x.add(f.id, false, 1)
			}
			x.awaitReaders()
			x.at(1e9)
			x.hub.drain = func(now events.Time, out func(*events.Event)) (events.Drained, error) {
				for cpu := range cpus {
					e := events.Event{Kind: events.Switch, CPU: uint16(cpu), Flags: events.SwitchRun}
					e.Args[events.ArgRunNS] = 1000
					for n := range perCPU {
						e.Time = now - events.Time(4000*(perCPU-n)-1000*cpu)
						e.TID = tids[(n/4*cpus+cpu+n)%len(tids)]
						out(&e)
					}
				}
				return events.Drained{Until: now}, nil
			}
			get := x.tick
			if alone {
				l := x.hub.members[0].o.loop
				l.fetch = func(now events.Time) (events.Drained, error) { return x.hub.drain(now, l.order.Push) }
				get = l.poll
			}
			now := events.Time(2e9)
			b.ResetTimer()
			for range b.N {
				x.k.clock = now
				if err := get(now); err != nil {
					b.Fatal(err)
				}
				now += 4000 * perCPU
			}
			b.StopTimer()
			if x.strays > 0 {
				b.Errorf("%d records of no target", x.strays)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N*cpus*perCPU), "ns/record")
			x.stop()
			_ = x.reports.stop()
		})
	}
}
