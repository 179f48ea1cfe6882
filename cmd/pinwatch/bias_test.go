package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/loader"
)

// slowed is one program made slower than it is, under a workload, and the phases whose samples it lies in.
type slowed struct {
	program string
	args    []string
	phases  []string
}

var slowedPrograms = []slowed{
	{"task_newtask", strings.Fields("churn -rate 300"), []string{"clone_syscall", "spawn"}},
	{"sched_wakeup_new", strings.Fields("churn -rate 300"), []string{"clone_syscall", "spawn", "runq_wait"}},
	{"sched_process_exit", strings.Fields("churn -rate 300"), []string{"exit"}},
	{"exit", strings.Fields("churn -rate 300"), []string{"runtime"}},
	{"signal_generate", strings.Fields("storm"), []string{"send"}},
	{"signal_deliver", strings.Fields("storm"), []string{"handler"}},
	{"sched_waking", strings.Fields("pingpong -batch 50 -pace 10ms"), []string{"wake", "cpu"}},
}

// What a slower program does to a number is in its bias, and in nothing else: the number moves, the number less its bias does not, or by no
// more than a tenth of that. Rounds with the program as it is and with the slower one take turns on one process, so what else the
// machine does is in both; the slow-down is far more than the programs take, so what it lasts needs no clock but the samples' own.
func TestBiasFollows(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	for _, s := range slowedPrograms {
		t.Run(s.program, func(t *testing.T) {
			agree(t, func() []string { return s.check(t) })
		})
	}
}

// moved is what the slower program did to one phase, by its medians: ns.
type moved struct {
	phase                    string
	raw, slowRaw             float64
	corrected, slowCorrected float64
	n                        int64
}

func (s slowed) check(t *testing.T) (problems []string) {
	for _, m := range s.measure(t, 4, 600*time.Millisecond) {
		by, rest := m.slowRaw-m.raw, m.slowCorrected-m.corrected
		t.Logf("%s in %s: n %d, raw %.0f → %.0f, corrected %.0f → %.0f ns: moved by %.0f, corrected by %.1f %% of that", s.program, m.phase, m.n,
			m.raw, m.slowRaw, m.corrected, m.slowCorrected, by, 100*rest/by)
		switch {
		case m.n == 0:
			problems = append(problems, m.phase+": no samples")
		case by < slowNS/2:
			problems = append(problems, fmt.Sprintf("%s: the slow program moved it by %.0f ns only", m.phase, by))
		case rest > by/10 || rest < -by/10:
			problems = append(problems, fmt.Sprintf("%s: moved by %.0f ns, corrected it still moves by %.0f", m.phase, by, rest))
		}
	}
	return problems
}

// A reading of the clock takes 20 ns at least, anywhere.
const (
	slowReads = 1000
	slowNS    = 20 * slowReads
)

// measure takes the medians over rounds, which take turns.
func (s slowed) measure(t *testing.T, rounds int, long time.Duration) []moved {
	p := testenv.Workload(t, s.args...)
	var plain, slow []report.Report
	for range rounds {
		plain = append(plain, s.observe(t, p.PID, loader.Slow{}, long))
		slow = append(slow, s.observe(t, p.PID, loader.Slow{Reads: slowReads, Programs: []string{s.program}}, long))
	}
	var all []moved
	for _, phase := range s.phases {
		m := moved{phase: phase}
		m.raw, m.corrected, m.n = medians(plain, phase)
		var n int64
		m.slowRaw, m.slowCorrected, n = medians(slow, phase)
		m.n = min(m.n, n)
		all = append(all, m)
	}
	return all
}

func (s slowed) observe(t *testing.T, pid int, slow loader.Slow, long time.Duration) report.Report {
	a := begin(t, func(ctx context.Context, ready string, out, errs io.Writer) int {
		err := attach(ctx, streams{strings.NewReader(""), out, errs},
			options{pid: pid, format: "json", readyFile: ready, duration: long, slow: slow})
		if err != nil {
			fmt.Fprintln(errs, err)
			return exitError
		}
		return exitOK
	})
	return a.report()
}

// medians are those of a phase's median over reports, as it is and less its bias, and the samples they rest on.
func medians(reports []report.Report, phase string) (raw, corrected float64, n int64) {
	var raws, rest []float64
	for _, r := range reports {
		c := allSamples(&r, phase)
		if c == nil || c.N == 0 || c.Bias == nil {
			continue
		}
		n += c.N
		raws = append(raws, float64(*c.P50))
		rest = append(rest, float64(*c.P50)-*c.Bias)
	}
	if len(raws) == 0 {
		return 0, 0, 0
	}
	slices.Sort(raws)
	slices.Sort(rest)
	return raws[len(raws)/2], rest[len(rest)/2], n
}

// allSamples is a phase's row over all samples.
func allSamples(r *report.Report, phase string) *report.Cost {
	for i := range r.Costs {
		if c := &r.Costs[i]; c.Phase == phase && c.Cause == nil && c.State == nil && c.Locked == "" {
			return c
		}
	}
	return nil
}
