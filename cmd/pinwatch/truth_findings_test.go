package main

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// provocation is a workload that a finding is about, or one that does nearly the same and gives no reason for it.
type provocation struct {
	workload string
	finding  string // "" = none of any kind must be made
	found    bool   // else it must not be
	function string // that the finding names, a part of it
	window   string
	rests    bool // the workload comes to rest, and that is to be observed
	favoured bool // the finding takes a rate that other programs on the machine would slow down
}

// Those of whom nothing happens are observed for as long as their findings take, all at once and beside the others.
var slowProvocations = []provocation{
	{"leak", "leaked-pin", true, "(*Workload).Pin", "10s", true, false},
	{"leak -served", "leaked-pin", false, "", "10s", false, false},
	{"surplus", "thread-surplus", true, "", "10s", true, false},
	{"surplus -n 0", "thread-surplus", false, "", "10s", true, false},
	{"idle -notify", "", false, "", "10s", true, false}, // the runtime pins a goroutine of its own
}

var provocations = []provocation{
	{"wedged", "wedged-m0", true, "", "500ms", false, false},
	{"wedged -alive", "wedged-m0", false, "", "500ms", false, false},
	{"perrequest", "per-request-pinning", true, "", "2s", false, false},
	{"perrequest -pool 4", "per-request-pinning", false, "", "2s", false, false},
	{"churn", "exit-while-locked-churn", true, "", "1s", false, false},
	{"churn -rate 1", "exit-while-locked-churn", false, "", "1s", false, false},
	{"pingpong -batch 1 -pace 400ms", "pinned-handoff-hot-spot", false, "", "1s", false, false},
	{"pingpong", "pinned-handoff-hot-spot", true, "(*Workload).Pin", "1s", false, true},
	{"storm", "sigurg-storm", true, "(*Workload).stopWorld", "1100ms", false, true},
	{"storm -every 1s", "sigurg-storm", false, "", "1100ms", false, true},
	{"sharedcore", "pinned-thread-shares-core", true, "(*Workload).Pin", "1s", false, false},
	{"sharedcore -apart", "pinned-thread-shares-core", false, "", "1s", false, false},
}

// Each finding is made of a workload that provokes it, and not of one that resembles it.
func TestFindings(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	var slow []func() report.Report
	for _, p := range slowProvocations {
		slow = append(slow, p.begin(t))
	}
	for _, p := range provocations {
		t.Run(p.workload, func(t *testing.T) { p.check(t, p.begin(t)) })
	}
	for i, p := range slowProvocations {
		t.Run(p.workload, func(t *testing.T) { p.check(t, slow[i]) })
	}
}

// begin lets the workload work and pinwatch observe it. What it returns waits for the report.
func (p provocation) begin(t *testing.T) func() report.Report {
	t.Helper()
	proc := testenv.Workload(t, append(strings.Fields(p.workload), "-hold")...)
	if p.favoured {
		favour(t, proc)
	}
	proc.Go()
	if p.rests {
		proc.Quiet()
	}
	observed := attachTo(t, proc.PID, "-d", p.window)
	return func() report.Report {
		r := observed.report()
		proc.Stop()
		return r
	}
}

// favour gives the threads of a process the CPU before those of others; the threads they create inherit that.
func favour(t *testing.T, p *testenv.Proc) {
	t.Helper()
	for _, tid := range p.Threads() {
		if err := unix.Setpriority(unix.PRIO_PROCESS, int(tid), -20); err != nil {
			t.Fatal(err)
		}
	}
}

func (p provocation) check(t *testing.T, end func() report.Report) {
	t.Helper()
	r := end()
	for i := 1; r.Loss.Total+r.Loss.Late+r.Loss.RecursionMisses != 0; i++ {
		if i == attempts {
			t.Fatalf("records were lost, %d times", attempts)
		}
		t.Logf("records were lost: %+v", r.Loss)
		r = p.begin(t)()
	}
	var found *report.Finding
	for i := range r.Findings {
		if f := &r.Findings[i]; f.ID == p.finding || p.finding == "" {
			found = f
			t.Logf("%s: %s", f.ID, f.Message)
		}
	}
	if enough := rates[p.finding]; p.found && found == nil && enough != nil && !enough(&r) {
		t.Logf("this machine is too slow now to provoke a %s: %+v", p.finding, r.Counts)
		return
	}
	if (found != nil) != p.found {
		t.Fatalf("%s: found: %t, want %t; %+v in %g s, findings %+v", p.finding, found != nil, p.found, r.Counts, r.Window.DurationS, r.Findings)
	}
	if p.function != "" && !strings.Contains(fmt.Sprint(found.Evidence["function"]), p.function) {
		t.Errorf("it names %v, want %s", found.Evidence["function"], p.function)
	}
}

// stormPerProc is how many SIGURGs per second and P make a storm.
const stormPerProc = 200

// rates say whether a workload has done so much of what a finding is about that there must be one; internal/findings has the reasons.
var rates = map[string]func(*report.Report) bool{
	"sigurg-storm": func(r *report.Report) bool {
		return float64(r.Counts.SigurgGenerated) >= stormPerProc*float64(*r.Target.GOMAXPROCS)*r.Window.DurationS
	},
	"exit-while-locked-churn": func(r *report.Report) bool { return *r.Counts.ThreadsExitedLocked >= 10 },
	"per-request-pinning": func(r *report.Report) bool {
		began := uint64(0)
		for _, th := range r.Threads {
			began += *th.LockHolds
		}
		return began >= 100+uint64(len(r.Threads))
	},
	"pinned-handoff-hot-spot": func(r *report.Report) bool {
		n, cpu := 0.0, 0.0
		for _, th := range r.Threads {
			if th.Handoff != nil && th.Handoff.CPUNS != nil {
				n += float64(th.Handoff.N)
				cpu += float64(th.Handoff.N) * *th.Handoff.CPUNS / 1e9
			}
		}
		return n >= 1000*r.Window.DurationS && cpu >= 0.02*r.Window.DurationS
	},
}

// A storm of signals from outside, which no machine is too slow for.
func TestFindingOfForeignStorm(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "idle")
	observed := attachTo(t, p.PID, "-d", "1100ms")
	threads := p.Threads()
	for range 5 * stormPerProc {
		for _, tid := range threads {
			if err := unix.Tgkill(p.PID, int(tid), unix.SIGURG); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := observed.report()
	for _, f := range r.Findings {
		if f.ID == "sigurg-storm" && f.Evidence["cause"] == "foreign" {
			return
		}
	}
	t.Errorf("no such finding: %+v, %+v", r.Counts, r.Findings)
}
