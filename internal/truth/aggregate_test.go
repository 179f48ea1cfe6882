package truth

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// TestAggregateIsTheSame observes one activity twice, from rest to rest: once the kernel adds
// switches up, once it sends each. Both count the same to the last switch, for each thread. Their
// times differ by no more than the programs that run between their stamps.
func TestAggregateIsTheSame(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	workloads := []string{"demo", "churn -rate 200", "pingpong -pairs 2", "threads -n 50", "storm -gc -n 2"}
	for _, workload := range testenv.Cases(workloads, workloads[:1]) {
		t.Run(workload, func(t *testing.T) {
			agree(t, func() []string {
				got, want := observeTwice(t, strings.Fields(workload))
				if problems := append(countProblems(got), countProblems(want)...); problems != nil {
					return problems
				}
				if want.Counts.Switches < 500 {
					return []string{fmt.Sprintf("the workload hardly worked: %+v", want.Counts)}
				}
				return sameCounts(got, want)
			})
			if *judgeDurations {
				agreeOnDurations(t, func() []string { return sameTimes(observeTwice(t, strings.Fields(workload))) })
			}
		})
	}
}

// observeTwice returns the reports of two observations of one activity: switches added up, and
// sent.
func observeTwice(t *testing.T, workload []string) (added, sent *report.Report) {
	t.Helper()
	var observed *observation
	w := watch{workload: workload, work: time.Second, beside: func(t *testing.T, p *testenv.Proc) {
		observed = observeProcess(t, p.PID, observe.Config{Aggregate: true})
	}, ending: func() { observed.cancel() }} // a report may take seconds, and the rest does not last
	streamed := w.run(t)
	got := observed.end()
	streamed.proc.Stop()
	return &got, &streamed.report
}

// sameCounts compares what must be equal.
func sameCounts(got, want *report.Report) (problems []string) {
	if !got.Observer.Aggregated || want.Observer.Aggregated {
		problems = append(problems, "the report does not have whether switches were added up")
	}
	differ := func(what string, got, want any) {
		problems = append(problems, fmt.Sprintf("%s: %v added up, %v sent", what, got, want))
	}
	g, w := got.Counts, want.Counts
	for _, n := range []struct {
		name      string
		got, want uint64
	}{
		{"threads", g.Threads, w.Threads}, {"created", g.ThreadsCreated, w.ThreadsCreated},
		{"exited", g.ThreadsExited, w.ThreadsExited},
		{"SIGURG", g.SigurgDelivered, w.SigurgDelivered}, {"switches", g.Switches, w.Switches},
		{"migrations", g.Migrations, w.Migrations},
		{"locked", *g.LockedThreads, *w.LockedThreads},
	} {
		if n.got != n.want {
			differ(n.name, n.got, n.want)
		}
	}
	if !maps.Equal(got.Moves.ByDistance, want.Moves.ByDistance) {
		differ("moves", got.Moves.ByDistance, want.Moves.ByDistance)
	}
	threads := alive(got)
	for tid, w := range alive(want) {
		g := threads[tid]
		if g.Switches != w.Switches || g.Migrations != w.Migrations || !slices.Equal(g.CPUs, w.CPUs) {
			differ(fmt.Sprintf("thread %d", tid), fmt.Sprint(g.Switches, g.Migrations, g.CPUs),
				fmt.Sprint(w.Switches, w.Migrations, w.CPUs))
		}
		if g.Lock != w.Lock || worth(g.LockedExt) != worth(w.LockedExt) || g.Role != w.Role {
			differ(fmt.Sprintf("thread %d", tid), fmt.Sprint(g.Lock, worth(g.LockedExt), g.Role),
				fmt.Sprint(w.Lock, worth(w.LockedExt), w.Role))
		}
	}
	return problems
}

// sameTimes compares what two sets of stamps of the same moments give.
func sameTimes(got, want *report.Report) (problems []string) {
	rows := map[string]*report.Cost{}
	for i := range got.Costs {
		rows[rowName(&got.Costs[i])] = &got.Costs[i]
	}
	for i := range want.Costs {
		w := &want.Costs[i]
		g := rows[rowName(w)]
		if w.N == 0 || w.Cause != nil || w.State != nil || slices.Contains(unequal, w.ID+" "+w.Phase) {
			continue
		}
		if g == nil || strings.HasPrefix(rowName(w), "X-handoff") && math.Abs(float64(g.N-w.N)) > 2+float64(w.N)/100 {
			problems = append(problems, fmt.Sprintf("%s: %d sent, added up %+v", rowName(w), w.N, g))
			continue
		}
		if !strings.HasPrefix(rowName(w), "X-handoff") && g.N != w.N {
			problems = append(problems, fmt.Sprintf("%s: %d added up, %d sent", rowName(w), g.N, w.N))
		}
		if w.OffCPU != nil && *w.OffCPU > 0 && (g.OffCPU == nil || *g.OffCPU < *w.OffCPU/2) && w.N >= 100 {
			problems = append(problems, fmt.Sprintf("%s: off the CPU for %v added up, %g sent", rowName(w), g.OffCPU,
				*w.OffCPU))
		}
		// The programs of each observation also run between the other's two stamps, and add its
		// bias.
		bound := 2000 + *w.P50/10 + int64(worth(g.Bias)+worth(w.Bias))
		if d := max(*g.P50-*w.P50, *w.P50-*g.P50); w.N >= 100 && d > bound {
			problems = append(problems, fmt.Sprintf("%s: median %d ns added up, %d sent", rowName(w), *g.P50, *w.P50))
		}
	}
	threads := alive(got)
	for tid, w := range alive(want) {
		g := threads[tid]
		slack := 5000*float64(w.Switches+10) + 0.02*float64(want.Window.EndNS-want.Window.StartNS) +
			math.Abs((got.Window.DurationS-want.Window.DurationS)*1e9) // at rest some wait for a CPU all the same
		for _, part := range [][2]int64{{g.RunNS, w.RunNS}, {g.RunqNS, w.RunqNS}} {
			if math.Abs(float64(part[0]-part[1])) > slack {
				problems = append(problems, fmt.Sprintf("thread %d: %d ns added up, %d sent", tid, part[0], part[1]))
			}
		}
		if g.UnknownNS > w.UnknownNS+1e6 {
			problems = append(problems, fmt.Sprintf("thread %d: %d ns unknown", tid, g.UnknownNS))
		}
	}
	return problems
}

// unequal are costs that two observations need not agree on. Whether a signal finds its target on a
// CPU is read at two moments. Threads are freed long after their end, also beyond a window's end.
// A session that sends everything misses wakers' CPU time that is reported too late.
var unequal = []string{"P-5 kernel", "P-9 free", "X-handoff cpu"}

// worth returns the value of a pointer; the zero value for nil.
func worth[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func rowName(c *report.Cost) string {
	name := c.ID + " " + c.Phase
	for _, word := range []*string{c.Bound, c.Cause, c.State} {
		if word != nil {
			name += " " + *word
		}
	}
	return name + fmt.Sprint(" ", c.Locked)
}

// TestAggregateAgainstBpftrace: every switch that is added up is one that bpftrace sees. In several
// intervals no more time is unknown than in one window of switches that are sent.
func TestAggregateAgainstBpftrace(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Bpftrace)
	compare := func() (counts, times []string) {
		var switches *witness.Switches
		var before []int32
		var streamed *observation
		w := watch{workload: strings.Fields("pingpong -batch 50 -pace 10ms"), work: 2 * time.Second,
			config: observe.Config{Aggregate: true, Interval: 200 * time.Millisecond},
			beside: func(t *testing.T, p *testenv.Proc) {
				streamed = observeProcess(t, p.PID, observe.Config{})
				switches, before = witness.StartSwitches(t, p.PID), p.Threads()
			}}
		got := w.run(t)
		want := streamed.end()
		defer got.proc.Stop()
		seen := witnessed{report: got.report, before: before, switches: switches.Stop(), lastCPU: switches.LastCPU}
		if g, w := unknown(&got.report), unknown(&want); g > w+w/10+1e6 {
			times = []string{fmt.Sprintf("%d ns are unknown, of the switches that were sent %d", g, w)}
		}
		return seen.checkMoves(), times
	}
	agree(t, func() []string { counts, _ := compare(); return counts })
	if *judgeDurations {
		agreeOnDurations(t, func() []string { _, times := compare(); return times })
	}
}

func unknown(r *report.Report) (ns int64) {
	for _, th := range r.Threads {
		ns += th.UnknownNS
	}
	return ns
}
