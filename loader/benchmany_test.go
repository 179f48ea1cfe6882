package loader

import (
	"testing"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// manyRing holds all switches of a round, in the part of the buffers that one target of a Group may use.
const manyRing = 64 << 20

// BenchmarkMany compares a switch in a Group to the same switch in a Session and to an empty program,
// in turns: medians of rounds. Budgets: a foreign switch 1.3 × empty, a target's 1.1 × a Session's.
func BenchmarkMany(b *testing.B) {
	testenv.Require(b, testenv.BPF, testenv.BPFAdmin)
	p, idle := testenv.Workload(b, "pingpong", "-pairs", "2"), testenv.Workload(b, "idle")
	rt, err := goruntime.Open(p.PID, goruntime.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer rt.Close()
	cfg := Config{RingBytes: manyRing, Runtime: RuntimeOf(&rt.Info)}
	enableStats(b)
	var floor, one, many, foreignOne, foreignMany []float64
	for range referenceRounds {
		floor = append(floor, emptyTurn(b))
		one = append(one, oursTurn(b, p.PID, cfg))
		many = append(many, groupTurn(b, p.PID, cfg.Runtime))
		foreignOne = append(foreignOne, oursTurn(b, idle.PID, cfg))
		foreignMany = append(foreignMany, groupTurn(b, idle.PID, Runtime{}))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(floor), "ns/empty-run")
	b.ReportMetric(median(one), "ns/run")
	b.ReportMetric(median(many), "ns/many-run")
	b.ReportMetric(median(foreignOne), "ns/foreign-run")
	b.ReportMetric(median(foreignMany), "ns/many-foreign-run")
	b.ReportMetric(median(many)/median(one), "×one")
	b.ReportMetric(median(foreignMany)/median(floor), "×empty-foreign")
}

// groupTurn is oursTurn in a Group with that target.
func groupTurn(b *testing.B, pid int, rt Runtime) float64 {
	g, err := OpenGroup(GroupConfig{RingBytes: manyRing})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	m, err := g.Add(pid)
	if err == nil {
		err = m.SetRuntime(rt)
	}
	if err != nil {
		b.Fatal(err)
	}
	perRun := turnOf(b, g.loaded.Programs["pw_switch"])
	if lost, err := m.Lost(); err != nil || lost != [bpf.PinwatchEventKindKIND_COUNT]uint64{} || m.LostTurns() > 0 {
		b.Fatalf("lost %v and %d turns, %v: a record that finds no room costs less", lost, m.LostTurns(), err)
	}
	return perRun
}
