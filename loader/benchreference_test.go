package loader

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Programs that are compared, the empty one among them, alternate: each attaches, runs for a while
// and detaches. On one hook together, the second would find its data in the caches.
const (
	referenceRounds = 7
	referenceTurn   = 300 * time.Millisecond
)

// BenchmarkReference compares a switch of the target with its lock, in a locked ping-pong, to the
// least program that sends such a record (bpf/reference.bpf.c), and to the same switch when
// aggregating: medians of rounds. Budgets: 1.15 × reference, and aggregating costs no more than
// sending.
func BenchmarkReference(b *testing.B) {
	testenv.Require(b, testenv.BPF, testenv.BPFAdmin)
	p := testenv.Workload(b, "pingpong", "-pairs", "2")
	rt, err := goruntime.Open(p.PID, goruntime.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer rt.Close()
	enableStats(b)
	var ours, summed, reference, floor []float64
	for range referenceRounds {
		floor = append(floor, emptyTurn(b))
		ours = append(ours, oursTurn(b, p.PID, Config{Runtime: RuntimeOf(&rt.Info)}))
		reference = append(reference, referenceTurnOf(b, p.PID, &rt.Info))
		summed = append(summed, oursTurn(b, p.PID, Config{Runtime: RuntimeOf(&rt.Info), Aggregate: true}))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(floor), "ns/empty-run")
	b.ReportMetric(median(ours), "ns/run")
	b.ReportMetric(median(reference), "ns/reference-run")
	b.ReportMetric(median(summed), "ns/aggregate-run")
	b.ReportMetric(median(ours)/median(reference), "×reference")
}

// emptyTurn measures the least that a program at a switch takes.
func emptyTurn(b *testing.B) float64 {
	p, err := ebpf.NewProgram(emptyProgram("sched_switch"))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	defer attachReference(b, p)()
	return turnOf(b, p)
}

func oursTurn(b *testing.B, pid int, cfg Config) float64 {
	s := open(b, pid, cfg)
	defer s.Close()
	perRun := turnOf(b, s.loaded.Programs["pw_switch"])
	drain(b, s)
	if lost, err := s.Lost(); err != nil || lost != [bpf.PinwatchEventKindKIND_COUNT]uint64{} {
		b.Fatalf("lost %v, %v: a record that finds no room costs less", lost, err)
	}
	return perRun
}

func referenceTurnOf(b *testing.B, pid int, info *goruntime.Info) float64 {
	target, err := OpenTarget(pid)
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	spec, err := loadReference()
	if err != nil {
		b.Fatal(err)
	}
	k, err := newKernelSide(target.spec)
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(set(setting{k.TargetTgid, target.TGID}), k.setRuntime(info)); err != nil {
		b.Fatal(err)
	}
	for name, v := range spec.Variables { // the constants that both have, bpf/config.h
		if constant := k.Variables[name]; constant != nil {
			v.Value = constant.Value
		}
	}
	var objs referenceObjects
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		b.Fatal(err)
	}
	defer objs.Close()
	defer attachReference(b, objs.ReferenceNewtask)()
	if _, err := readIterator(objs.ReferencePrepare); err != nil {
		b.Fatal(err)
	}
	defer attachReference(b, objs.ReferenceSwitch)()
	perRun := turnOf(b, objs.ReferenceSwitch)
	var missed uint64
	if err := objs.ReferenceMissed.Get(&missed); err != nil || missed > 0 {
		b.Fatalf("the reference sent no record for %d switches, %v", missed, err)
	}
	return perRun
}

func attachReference(b *testing.B, p *ebpf.Program) (detach func()) {
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	}
}

// turnOf lets an attached program run for a while.
func turnOf(b *testing.B, prog *ebpf.Program) (perRun float64) {
	var n ns
	n.begin(b, prog)
	time.Sleep(referenceTurn)
	n.end(b, prog)
	if n.runs == 0 {
		b.Fatal("the program did not run")
	}
	return n.perRun()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
