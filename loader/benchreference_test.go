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

// The two programs of BenchmarkReference alternate: each attaches, runs for a while and detaches.
// On one hook together, the second would find its data in the caches.
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
	empty := attachEmpty(b, "sched_switch")
	enableStats(b)
	var ours, summed, reference, floor []float64
	for range referenceRounds {
		a, e := oursTurn(b, p.PID, Config{Runtime: RuntimeOf(&rt.Info)}, empty)
		r, e2 := referenceTurnOf(b, p.PID, &rt.Info, empty)
		g, e3 := oursTurn(b, p.PID, Config{Runtime: RuntimeOf(&rt.Info), Aggregate: true}, empty)
		ours, reference, summed = append(ours, a), append(reference, r), append(summed, g)
		floor = append(floor, e, e2, e3)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(floor), "ns/empty-run")
	b.ReportMetric(median(ours), "ns/run")
	b.ReportMetric(median(reference), "ns/reference-run")
	b.ReportMetric(median(summed), "ns/aggregate-run")
	b.ReportMetric(median(ours)/median(reference), "×reference")
}

func oursTurn(b *testing.B, pid int, cfg Config, empty *ebpf.Program) (perRun, floor float64) {
	s := open(b, pid, cfg)
	defer s.Close()
	perRun, floor = turnOf(b, s.loaded.Programs["pw_switch"], empty)
	drain(b, s)
	if lost, err := s.Lost(); err != nil || lost != [bpf.PinwatchEventKindKIND_COUNT]uint64{} {
		b.Fatalf("lost %v, %v: a record that finds no room costs less", lost, err)
	}
	return perRun, floor
}

func referenceTurnOf(b *testing.B, pid int, info *goruntime.Info, empty *ebpf.Program) (perRun, floor float64) {
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
	perRun, floor = turnOf(b, objs.ReferenceSwitch, empty)
	var missed uint64
	if err := objs.ReferenceMissed.Get(&missed); err != nil || missed > 0 {
		b.Fatalf("the reference sent no record for %d switches, %v", missed, err)
	}
	return perRun, floor
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
func turnOf(b *testing.B, prog, empty *ebpf.Program) (perRun, floor float64) {
	var n, e ns
	n.begin(b, prog)
	e.begin(b, empty)
	time.Sleep(referenceTurn)
	e.end(b, empty)
	n.end(b, prog)
	if n.runs == 0 {
		b.Fatal("the program did not run")
	}
	return n.perRun(), e.perRun()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
