package reporttest

import (
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/report"
)

// Verdicts judges a few statements by made-up evidence, so that each verdict occurs.
func Verdicts(t testing.TB) *report.Verdicts {
	t.Helper()
	times := func(n int, ns float64) contract.Sample {
		v := make([]float64, n)
		for i := range v {
			v[i] = ns + 10*float64(i)
		}
		return contract.NewSample("ns", v)
	}
	trial := []string{"calls -n 500"}
	e := contract.Evidence{GoVersion: "go1.26.8", Experiments: map[string]*contract.Record{
		"migrate": {Source: "the workload's account", Workloads: []string{"migrate"},
			Counts: map[string]int64{"locked_samples": 8000, "unlocked_moves": 321}},
		"calls": {Workloads: trial, Samples: map[string]contract.Sample{"lock": times(9, 3), "unlock": times(5, 4),
			"first_lock": times(15, 30_000)}},
		"churn": {Workloads: []string{"churn"}, Noise: 0.7,
			Samples: map[string]contract.Sample{"exit": times(400, 90_000)},
			Notes:   []string{"a <warning> with | in it"}},
		"runs":    {Outcomes: map[string]map[string]int64{"tids": {"1 2": 19, "2 1": 1}}},
		"names":   {Counts: map[string]int64{"metric_asked": 1}},
		"cgo":     {Unable: "no C compiler on this machine"},
		"systems": {Counts: map[string]int64{"darwin_read": 1, "darwin_pthread_kill": 1, "darwin_makes_thread": 1}},
		"called": {Counts: map[string]int64{"darwin_built": 1, "darwin_signals": 1, "darwin_signals_asked": 1,
			"darwin_makes_thread": 1, "darwin_makes_thread_asked": 1}},
	}}
	var outcomes []contract.Outcome
	for _, id := range []string{"G-1", "P-3", "P-4", "P-7", "P-9", "M-1", "N-4", "O-macos"} {
		s, ok := contract.Find(id)
		if !ok {
			t.Fatalf("no statement %s", id)
		}
		outcomes = append(outcomes, s.Judge(e))
	}
	m := Meta()
	return report.NewVerdicts(report.VerdictsMeta{Version: m.Version, Host: m.Host,
		Finished: time.Date(2025, 3, 9, 3, 12, 45, 0, time.UTC), Interrupted: true,
		Cleared: map[string]string{"GOGC": "off"},
		Limits: host.Limits{CPUs: []int{0, 1, 2, 3}, Known: true,
			Cgroup: []host.Limit{{File: "/sys/fs/cgroup/ci/memory.max", Value: "8589934592"}}},
		Sources: map[string][]report.SourcePlace{
			"P-9": {{File: "runtime/proc.go", Function: "mexit", Line: Ptr(2116), Code: Ptr("exitThread("),
				Release: Ptr("go1.26.8")}},
			"M-1": {{File: "runtime/metrics.go", Function: "initMetrics", Code: Ptr(`"/sched/threads:threads"`), Absent: true}},
		}},
		outcomes, e)
}
