package truth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// provocation is a workload that a finding is about, or one that is nearly the same and gives no
// reason for it.
type provocation struct {
	workload string
	finding  string // "" = no finding of any kind
	found    bool   // else it must not be
	function string // a part of the function that the finding names
	window   time.Duration
	rests    bool // the workload comes to rest, and that is to be observed
	favoured bool // other load would lower a rate, or be why a thread waits
}

// entryOfPin stands for the function in which one of the account's locked goroutines began.
const entryOfPin = "entry of a pin"

// slowProvocations are observed for as long as their findings take, all at once and beside the
// others.
var slowProvocations = []provocation{
	{"leak", "leaked-pin", true, entryOfPin, 10 * time.Second, true, false},
	{"leak -served", "leaked-pin", false, "", 10 * time.Second, false, false},
	{"surplus", "thread-surplus", true, "", 10 * time.Second, true, false},
	{"surplus -n 0", "thread-surplus", false, "", 10 * time.Second, true, false},
	{"idle -notify", "", false, "", 10 * time.Second, true, false}, // the runtime locks one of its goroutines
}

var provocations = []provocation{
	{"wedged", "wedged-m0", true, "", 500 * time.Millisecond, false, false},
	{"wedged -alive", "wedged-m0", false, "", 500 * time.Millisecond, false, false},
	{"perrequest", "per-request-pinning", true, "", 2 * time.Second, false, false},
	{"perrequest -pool 4", "per-request-pinning", false, "", 2 * time.Second, false, false},
	{"churn", "exit-while-locked-churn", true, "", time.Second, false, false},
	{"churn -rate 1", "exit-while-locked-churn", false, "", time.Second, false, false},
	{"pingpong -batch 1 -pace 400ms", "pinned-handoff-hot-spot", false, "", time.Second, false, false},
	{"pingpong", "pinned-handoff-hot-spot", true, entryOfPin, time.Second, false, true},
	{"storm", "sigurg-storm", true, ").stopWorld", 1100 * time.Millisecond, false, true},
	{"storm -every 1s", "sigurg-storm", false, "", 1100 * time.Millisecond, false, true},
	{"alter", "thread-differs", true, "", 500 * time.Millisecond, false, false},
	{"alter -early", "thread-differs", true, "", 500 * time.Millisecond, false, false},
	{"alter -restore", "thread-differs", false, "", 500 * time.Millisecond, false, false},
	{"alter -keep", "thread-differs", false, "", 500 * time.Millisecond, false, false},
	{"panics", "unbalanced-lock", true, "", 500 * time.Millisecond, false, false},
	{"panics -deferred", "unbalanced-lock", false, "", 500 * time.Millisecond, false, false},
	{"sharedcore", "pinned-thread-shares-core", true, entryOfPin, time.Second, false, true},
	{"sharedcore -apart", "pinned-thread-shares-core", false, "", time.Second, false, false},
}

// TestFindings checks that each finding is made of a workload that provokes it, and not of one that
// resembles it.
func TestFindings(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	var slow []func() (report.Report, workload.Account)
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

// begin starts the workload and its observation. The returned function waits for the report.
func (p provocation) begin(t *testing.T) func() (report.Report, workload.Account) {
	t.Helper()
	proc := testenv.Workload(t, append(strings.Fields(p.workload), "-hold")...)
	if p.favoured {
		favour(t, proc)
	}
	proc.Go()
	if p.rests {
		proc.Quiet()
	}
	observed := observeProcess(t, proc.PID, observe.Config{Duration: p.window})
	return func() (report.Report, workload.Account) {
		r := observed.report()
		return r, proc.Stop()
	}
}

// favour gives the threads of a process the CPU before those of others; the threads they create
// inherit that.
func favour(t *testing.T, p *testenv.Proc) {
	t.Helper()
	for _, tid := range p.Threads() {
		if err := unix.Setpriority(unix.PRIO_PROCESS, int(tid), -20); err != nil {
			t.Fatal(err)
		}
	}
}

func (p provocation) check(t *testing.T, end func() (report.Report, workload.Account)) {
	t.Helper()
	var r report.Report
	var account workload.Account
	untilWithout(t, "records were lost, every time", func() []string {
		r, account = end()
		end = func() (report.Report, workload.Account) { return p.begin(t)() }
		return lossProblems(r.Loss)
	})
	var found *report.Finding
	for i := range r.Findings {
		if f := &r.Findings[i]; f.ID == p.finding || p.finding == "" {
			found = f
			t.Logf("%s: %s", f.ID, f.Message)
		}
	}
	if enough := rates[p.finding]; p.found && found == nil && enough != nil && !enough(&r) {
		testenv.NotJudged(t, "the machine is too busy or too slow now to provoke a %s: %+v", p.finding, r.Counts)
		return
	}
	if (found != nil) != p.found {
		t.Fatalf("%s: found: %t, want %t; %+v in %g s, findings %+v", p.finding, found != nil, p.found, r.Counts,
			r.Window.DurationS, r.Findings)
	}
	if p.function == "" {
		return
	}
	functions := []string{p.function}
	if p.function == entryOfPin {
		functions = nil
		for _, pin := range account.Pins {
			functions = append(functions, pin.Entry)
		}
	}
	named := fmt.Sprint(found.Evidence["function"])
	if !slices.ContainsFunc(functions, func(function string) bool { return strings.Contains(named, function) }) {
		t.Errorf("it names %s, want one of %q", named, functions)
	}
}

// stormPerProc is how many SIGURGs per second and P make a storm.
const stormPerProc = 200

// rates report whether a workload has done so much that the finding must be made. The limits are
// those of internal/findings.
var rates = map[string]func(*report.Report) bool{
	"sigurg-storm": func(r *report.Report) bool {
		return float64(r.Counts.SigurgGenerated) >= stormPerProc*float64(*r.Target.GOMAXPROCS)*r.Window.DurationS
	},
	"pinned-thread-shares-core": func(r *report.Report) bool {
		return slices.ContainsFunc(r.Threads, func(th report.Thread) bool {
			if th.Lock != "user" || len(th.CPUs) != 1 {
				return false
			}
			var rivals int64 // the kernel may put all of them on other CPUs
			for _, other := range r.Threads {
				if other.TID != th.TID && slices.Contains(other.CPUs, th.CPUs[0]) {
					rivals += other.RunNS
				}
			}
			wait := float64(th.RunqNS)
			return wait >= 0.01*float64(r.Window.EndNS-r.Window.StartNS) && wait >= 0.05*float64(th.RunNS+th.RunqNS) &&
				wait >= 50e3*float64(th.Switches) && rivals >= th.RunqNS // else other programs made it wait
		})
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

// TestFindingOfForeignStorm sends signals from outside, for which no machine is too slow.
func TestFindingOfForeignStorm(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "idle")
	observed := observeProcess(t, p.PID, observe.Config{Duration: 1100 * time.Millisecond})
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
