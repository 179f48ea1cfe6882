package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// What is added up in the kernel is what is sent one by one: two observations of one activity, from rest to rest, count the same to the
// last switch, of each thread, and their times differ by no more than the programs that run between their stamps.
func TestAggregateIsTheSame(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	for _, workload := range []string{"demo", "pingpong -pairs 2", "threads -n 50", "churn -rate 200", "storm -gc -n 2"} {
		t.Run(workload, func(t *testing.T) {
			agree(t, func() []string {
				var summed *attached
				w := watch{workload: strings.Fields(workload), work: time.Second, beside: func(t *testing.T, p *testenv.Proc) {
					summed = attachTo(t, p.PID, "--aggregate")
				}, ending: func() { summed.cancel() }} // the one's report may take seconds, and rest does not last
				streamed := w.run(t)
				got, want := summed.end(), streamed.report
				streamed.proc.Stop()
				if problems := lossProblems(got.Loss); problems != nil {
					return problems
				}
				if want.Counts.Switches < 500 {
					return []string{fmt.Sprintf("the workload hardly worked: %+v", want.Counts)}
				}
				return append(sameCounts(&got, &want), sameTimes(&got, &want)...)
			})
		})
	}
}

// sameCounts compares what must be equal.
func sameCounts(got, want *report.Report) (problems []string) {
	if !got.Observer.Aggregated || want.Observer.Aggregated {
		problems = append(problems, "the report does not say whether switches were added up")
	}
	differ := func(what string, got, want any) {
		problems = append(problems, fmt.Sprintf("%s: %v added up, %v sent", what, got, want))
	}
	g, w := got.Counts, want.Counts
	for _, n := range []struct {
		name      string
		got, want uint64
	}{
		{"threads", g.Threads, w.Threads}, {"created", g.ThreadsCreated, w.ThreadsCreated}, {"exited", g.ThreadsExited, w.ThreadsExited},
		{"SIGURG", g.SigurgDelivered, w.SigurgDelivered}, {"switches", g.Switches, w.Switches}, {"migrations", g.Migrations, w.Migrations},
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
			differ(fmt.Sprintf("thread %d", tid), fmt.Sprint(g.Switches, g.Migrations, g.CPUs), fmt.Sprint(w.Switches, w.Migrations, w.CPUs))
		}
		if g.Lock != w.Lock || worth(g.LockedExt) != worth(w.LockedExt) || g.Role != w.Role {
			differ(fmt.Sprintf("thread %d", tid), fmt.Sprint(g.Lock, worth(g.LockedExt), g.Role), fmt.Sprint(w.Lock, worth(w.LockedExt), w.Role))
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
			problems = append(problems, fmt.Sprintf("%s: off the CPU for %v added up, %g sent", rowName(w), g.OffCPU, *w.OffCPU))
		}
		// What the one's programs do between the other's two stamps is what they do between their own: each one's bias.
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

// unequal are costs that two observers can't agree upon: whether a signal finds its target on a CPU is asked at two moments; threads are
// freed long after, beyond a window's end, too; and of the wakers' CPU time sending misses what is told of too late.
var unequal = []string{"P-5 kernel", "P-9 free", "X-handoff cpu"}

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

// Added up, too, every switch is one that bpftrace sees, and in as many intervals no more time is unknown than what the kernel did not trace.
func TestAggregateAgainstBpftrace(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Bpftrace)
	agree(t, func() []string {
		var switches *witness.Switches
		var before []int32
		var streamed *attached
		w := watch{workload: strings.Fields("pingpong -batch 50 -pace 10ms"), work: 2 * time.Second, args: []string{"--aggregate", "-i", "200ms"},
			beside: func(t *testing.T, p *testenv.Proc) {
				streamed = attachTo(t, p.PID)
				switches, before = witness.StartSwitches(t, p.PID), p.Threads()
			}}
		got := w.run(t)
		want := streamed.end()
		defer got.proc.Stop()
		truth := truth{report: got.report, before: before, switches: switches.Stop(), lastCPU: switches.LastCPU}
		problems := truth.checkMoves()
		if g, w := unknown(&got.report), unknown(&want); g > w+w/10+1e6 {
			problems = append(problems, fmt.Sprintf("%d ns are unknown, of what was sent %d", g, w))
		}
		return problems
	})
}

func unknown(r *report.Report) (ns int64) {
	for _, th := range r.Threads {
		ns += th.UnknownNS
	}
	return ns
}
