package truth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/loader"
)

// slowing makes programs slower under a workload. Everything inside the phases is known; nothing of
// it is inside the still ones.
type slowing struct {
	args     []string
	programs []string
	reads    uint32 // of the clock, in each run
	phases   []string
	still    []string
}

// A thread's wait for a CPU, or for the lock under which signals are sent and delivered, also holds
// the time of pinwatch's programs on other threads. The bias does not count that, so where there
// are waits only programs on the thread's path are slowed. deliver is left out: a sender's program
// runs side by side with the interrupt that it has sent to another CPU.
func slowings() []slowing {
	words := strings.Fields
	return []slowing{
		{words("churn -rate 300"), words("clone task_newtask sched_wakeup_new clone_return " +
			"rt_sigprocmask sigaltstack exit sched_process_exit"), 3000,
			words("clone_syscall start runtime exit"), nil},
		{words("churn -rate 300"), words("sched_wakeup_new"), 3000, words("clone_syscall spawn runq_wait"),
			words("start exit")},
		{words("storm"), words("tgkill tgkill_return signal_generate"), 1000, words("send"), words("handler")},
		{words("storm"), words("signal_deliver rt_sigreturn"), 1000, words("handler"), words("send")},
		// A CPU that waits longer falls asleep deeper, and takes some 10 to 30 µs longer to wake
		// up, however much longer it waits. That shows least here: the CPU had slept before in any
		// case, and the program is slower by far more than that.
		{words("pingpong -batch 1 -pace 5ms"), words("sched_waking"), 6000, words("wake cpu"), nil},
	}
}

// TestBiasFollows checks that a number's bias holds what slower programs add to the number, and
// nothing else. The number moves; the number less its bias does not, or by no more than a tenth.
// Rounds with the programs as they are and with slower ones take turns on one process, so both have
// what else the machine does.
func TestBiasFollows(t *testing.T) {
	if !*judgeDurations {
		t.Log("make truth judges bias")
		return
	}
	testenv.Require(t, testenv.BPF)
	var doc calibrationDoc
	for _, s := range slowings() {
		t.Run(strings.Join(s.programs, "+"), func(t *testing.T) {
			var all []moved
			agreeOnDurations(t, func() (problems []string) {
				all = s.measure(t)
				for _, m := range all {
					t.Log(m)
					problems = append(problems, m.problems(s.reads)...)
				}
				return problems
			})
			doc.add(s, all)
		})
	}
	if *truthOut != "" && !t.Failed() && testenv.CountNotJudged() == 0 {
		doc.write(t, *truthOut)
	}
}

// moved is the effect of slower programs on one phase, by medians, ns.
type moved struct {
	phase                    string
	still                    bool
	n                        int64 // samples, of the fewer
	raw, slowRaw             float64
	corrected, slowCorrected float64
}

func (m moved) shift() float64 { return m.slowRaw - m.raw }
func (m moved) rest() float64  { return m.slowCorrected - m.corrected }

func (m moved) String() string {
	return fmt.Sprintf("%s of %d: %.0f → %.0f ns, less bias_ns %.0f → %.0f ns: moved by %.0f, then by %.0f",
		m.phase, m.n, m.raw, m.slowRaw, m.corrected, m.slowCorrected, m.shift(), m.rest())
}

func (m moved) problems(reads uint32) (problems []string) {
	const leastRead = 15 // ns that any machine needs to read its clock
	least := leastRead * float64(reads)
	switch {
	case m.n < 20:
		problems = append(problems, fmt.Sprintf("%s: %d samples", m.phase, m.n))
	case m.still && m.slowRaw-m.slowCorrected > 2*(m.raw-m.corrected)+least/10:
		problems = append(problems, m.phase+": a program that is not in it is in its bias")
	case m.still:
	case m.shift() < least:
		problems = append(problems, fmt.Sprintf("%s: slower programs moved it by %.0f ns only", m.phase, m.shift()))
	case m.rest() > m.shift()/10 || m.rest() < -m.shift()/10:
		problems = append(problems, fmt.Sprintf("%s: moved by %.0f ns, and less its bias still by %.0f", m.phase,
			m.shift(), m.rest()))
	}
	return problems
}

// Observations with and without, each, and how long one is.
const (
	slowRounds = 3
	slowRound  = 500 * time.Millisecond
)

// measure observes one process in turns.
func (s slowing) measure(t *testing.T) (all []moved) {
	p := testenv.Workload(t, s.args...)
	var plain, slow []report.Report
	for range slowRounds {
		plain = append(plain, observeSlow(t, p.PID, loader.Slow{}))
		slow = append(slow, observeSlow(t, p.PID, loader.Slow{Reads: s.reads, Programs: s.programs}))
	}
	for _, phase := range slices.Concat(s.phases, s.still) {
		m := moved{phase: phase, still: slices.Contains(s.still, phase)}
		var n int64
		m.raw, m.corrected, m.n = medians(plain, phase)
		m.slowRaw, m.slowCorrected, n = medians(slow, phase)
		m.n = min(m.n, n)
		all = append(all, m)
	}
	return all
}

func observeSlow(t *testing.T, pid int, slow loader.Slow) report.Report {
	t.Helper()
	return observeProcess(t, pid, observe.Config{Duration: slowRound, Slow: slow}).report()
}

// medians are those of a phase's median over reports, as it is and less its bias, and the samples
// they rest on.
func medians(reports []report.Report, phase string) (raw, corrected float64, n int64) {
	var raws, rest []float64
	for i := range reports {
		if c := allSamples(&reports[i], phase); c.N > 0 && c.Bias != nil {
			n += c.N
			raws = append(raws, float64(*c.P50))
			rest = append(rest, float64(*c.P50)-*c.Bias)
		}
	}
	if n == 0 {
		return 0, 0, 0
	}
	slices.Sort(raws)
	slices.Sort(rest)
	return raws[len(raws)/2], rest[len(rest)/2], n
}

// allSamples is a phase's row over all samples.
func allSamples(r *report.Report, phase string) *report.Cost {
	i := slices.IndexFunc(r.Costs, func(c report.Cost) bool {
		return c.Phase == phase && c.Locked == "" && c.Cause == nil && c.State == nil
	})
	return &r.Costs[i]
}

// TestBiasIsMeasured checks that every cost has a bias, and that each program's time was measured.
// That needs no statistics of the kernel's, which take CAP_SYS_ADMIN.
func TestBiasIsMeasured(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	r := observeProcess(t, testenv.Workload(t, "demo").PID, observe.Config{Duration: 2 * time.Second}).report()
	bodies := map[float64]bool{}
	for _, o := range r.Observer.Overhead {
		if o.NS != nil {
			bodies[*o.NS] = true
		}
		if o.DispatchNS == nil || *o.DispatchNS <= 0 {
			t.Errorf("%s: to come to it takes %v ns", o.Name, o.DispatchNS)
		}
	}
	if len(bodies) < 10 {
		t.Errorf("%d different times of programs", len(bodies))
	}
	for _, c := range r.Costs {
		if c.N > 0 && c.Bias == nil {
			t.Errorf("%s %s: bias_ns of %d samples is not known", c.ID, c.Phase, c.N)
		}
		if c.N > 0 && c.Phase != "free" && c.Bias != nil && *c.Bias <= 0 {
			t.Errorf("%s %s: bias_ns %g", c.ID, c.Phase, *c.Bias)
		}
	}
	if p := r.Observer.ClockReadNS; p == nil || *p <= 0 {
		t.Error("a reading of the clock takes no time")
	}
}
