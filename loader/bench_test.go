package loader

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// BenchmarkSwitch compares a switch with pinwatch's program to one with an empty program on the
// same tracepoint in the same run. The times are the kernel's BPF statistics, which add about 55 ns
// to both for their clock reads. Budgets: foreign ≤ 1.2, target without its locks ≤ 5, with them ≤
// 8 (target-overflow 1.25 × that).
func BenchmarkSwitch(b *testing.B) {
	for _, bc := range []struct {
		name    string
		foreign bool
		entries int
		locks   bool
	}{
		{"foreign", true, 0, true},
		{"target-kernel-only", false, 0, false},
		{"target", false, 0, true},
		{"target-overflow", false, 1, true},
	} {
		b.Run(bc.name, func(b *testing.B) {
			testenv.Require(b, testenv.BPF, testenv.BPFAdmin)
			busy := testenv.Workload(b, "pingpong", "-pairs", "2")
			target := busy
			if bc.foreign {
				target = testenv.Workload(b, "idle")
			}
			cfg := Config{ThreadEntries: bc.entries}
			if bc.locks {
				rt, err := goruntime.Open(target.PID, goruntime.Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer rt.Close()
				cfg.Runtime = RuntimeOf(&rt.Info)
			}
			s := attachTo(b, target.PID, cfg)
			empty := attachEmpty(b, "sched_switch")
			on, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
			if err != nil {
				b.Fatal(err)
			}
			defer on.Close()
			var ours, floor ns
			for b.Loop() {
				ours.begin(b, s.loaded.Programs["pw_switch"])
				floor.begin(b, empty)
				time.Sleep(200 * time.Millisecond)
				floor.end(b, empty)
				ours.end(b, s.loaded.Programs["pw_switch"])
				drain(b, s)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(floor.perRun(), "ns/empty-run")
			b.ReportMetric(ours.perRun(), "ns/run")
			b.ReportMetric(ours.perRun()/floor.perRun(), "×empty")
			b.ReportMetric(float64(ours.runs)/float64(b.N)*5, "runs/s")
		})
	}
}

// BenchmarkAttach measures the time from a PID to live hooks, and to detach them.
func BenchmarkAttach(b *testing.B) {
	testenv.Require(b, testenv.BPF)
	p := testenv.Workload(b, "idle")
	var closing time.Duration
	for b.Loop() {
		s := open(b, p.PID, Config{})
		if err := s.Snapshot(func([]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		closing += time.Since(began)
	}
	b.ReportMetric(float64(closing.Milliseconds())/float64(b.N), "ms/detach")
}

// BenchmarkFirstEvent measures the time from a PID to the first decoded event.
func BenchmarkFirstEvent(b *testing.B) {
	testenv.Require(b, testenv.BPF)
	p := testenv.Workload(b, "pingpong")
	for b.Loop() {
		s := open(b, p.PID, Config{})
		for len(drain(b, s)) == 0 {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
