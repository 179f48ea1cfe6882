package program_test

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/program"
)

// lengths are how long a program is at work. A longer one is tried only if the program did too
// little in the shorter one: how much it gets done in a time depends on the machine.
var lengths = []time.Duration{300 * time.Millisecond, 2 * time.Second, 20 * time.Second}

// programCase is a program with its flags and what its account must have.
type programCase struct {
	args  string
	least least
	check func(*testing.T, workload.Account)
}

// least holds the counts that a program must reach before its account is checked.
type least struct{ ops, eachPin, exits, forcedGC, stops uint64 }

func (l least) done(a workload.Account) bool {
	for _, pin := range a.Pins {
		if pin.Ops < l.eachPin {
			return false
		}
	}
	return a.Ops >= l.ops && a.LockedExits >= l.exits && a.ForcedGC >= l.forcedGC && a.Stops >= l.stops
}

// programCases has a case for every program.
var programCases = map[string]programCase{
	"demo": {"", least{eachPin: 1, exits: 5, forcedGC: 2}, func(t *testing.T, a workload.Account) {
		checkPairs(t, a, 2)
		if len(a.Pins) != 5 {
			t.Errorf("%d pins, want 5", len(a.Pins))
		}
	}},
	"churn": {"-rate 200", least{exits: 5}, func(t *testing.T, a workload.Account) {
		if a.LockedExits != a.Ops {
			t.Errorf("%d locked exits in %d operations", a.LockedExits, a.Ops)
		}
		if most := uint64(a.End-a.Start)*200/1e9 + 1; a.LockedExits > most {
			t.Errorf("%d locked exits; the rate allows %d", a.LockedExits, most)
		}
	}},
	"pingpong": {"-pairs 2", least{eachPin: 1}, func(t *testing.T, a workload.Account) {
		checkPairs(t, a, 2)
		checkOps(t, a, "ping", 2)
	}},
	"spinners": {"-n 1", least{forcedGC: 1}, func(t *testing.T, a workload.Account) { checkOps(t, a, "spin", 1) }},
	"threads": {"-n 64", least{eachPin: 1}, func(t *testing.T, a workload.Account) {
		checkOps(t, a, "turn", 64)
		if a.Handoffs != a.Ops {
			t.Errorf("%d hand-offs in %d turns", a.Handoffs, a.Ops)
		}
	}},
	"blocked": {"-pace 20ms", least{eachPin: 1}, func(t *testing.T, a workload.Account) { checkOps(t, a, "read", 8) }},
	"burst": {"", least{exits: 1}, func(t *testing.T, a workload.Account) {
		if a.LockedExits%32 != 0 || a.LockedExits != a.Ops {
			t.Errorf("%d locked exits in %d operations: want whole bursts of 32", a.LockedExits, a.Ops)
		}
	}},
	"leak": {"-n 2", least{}, func(t *testing.T, a workload.Account) {
		if roles(a) != "wait wait" || a.Ops != 0 {
			t.Errorf("pins %q, %d operations: want two that are never woken", roles(a), a.Ops)
		}
	}},
	"wedged": {"", least{ops: 1}, func(t *testing.T, a workload.Account) {
		if a.WedgedTID != a.PID || len(a.Pins) != 0 || a.LockedExits != 0 {
			t.Errorf("wedged %d, %d pins, %d locked exits: want the main thread wedged", a.WedgedTID, len(a.Pins), a.LockedExits)
		}
		if state := taskStatus(t, a.PID, a.PID, "State"); !strings.HasPrefix(state, "S") {
			t.Errorf("the main thread is in state %s, want asleep", state)
		}
	}},
	"perrequest": {"", least{ops: 5}, func(t *testing.T, a workload.Account) {
		if len(a.Pins) != 0 {
			t.Errorf("%d pins, want none", len(a.Pins))
		}
		checkSite(t, a, "(*Workload).handle", a.Ops)
	}},
	"alter": {"", least{ops: 20}, func(t *testing.T, a workload.Account) {
		if changed(t, a) == 0 || len(a.Pins) != 0 {
			t.Errorf("%d threads have another policy, %d pins: want one or more, none", changed(t, a), len(a.Pins))
		}
		checkSite(t, a, "(*Workload).alterLocked", a.Ops)
	}},
	"panics": {"", least{ops: 20}, func(t *testing.T, a workload.Account) {
		checkSite(t, a, "(*Workload).failing", a.Ops)
	}},
	"storm": {"", least{stops: 1}, func(t *testing.T, a workload.Account) {
		if a.Ops < a.Stops || len(a.Pins) != 0 {
			t.Errorf("%d stops of the world, %d operations, %d pins", a.Stops, a.Ops, len(a.Pins))
		}
	}},
	"sharedcore": {"", least{ops: 1}, func(t *testing.T, a workload.Account) {
		if len(a.Pins) != 1 || len(a.Pins[0].CPUs) != 1 {
			t.Fatalf("pins %+v: want one pin on one CPU", a.Pins)
		}
		cpu := strconv.Itoa(a.Pins[0].CPUs[0])
		for _, tid := range a.Threads {
			list := taskStatus(t, a.PID, tid, "Cpus_allowed_list")
			if pinned := tid == a.Pins[0].TID; (list == cpu) != pinned {
				t.Errorf("thread %d may run on %s; pinned to %s: %t", tid, list, cpu, pinned)
			}
		}
	}},
	"surplus": {"-n 10", least{ops: 10}, func(t *testing.T, a workload.Account) {
		if len(a.Threads) <= 10 || a.Ops != 10 || len(a.Pins) != 0 {
			t.Errorf("%d threads, %d operations, %d pins: want a thread for each of 10 operations",
				len(a.Threads), a.Ops, len(a.Pins))
		}
	}},
	"depth": {"", least{eachPin: 1}, func(t *testing.T, a workload.Account) {
		checkOps(t, a, "depth", maxDepth)
		checkLocks(t, a, maxDepth, maxDepth)
	}},
	"dance": {"", least{ops: 1}, func(t *testing.T, a workload.Account) {
		checkLocks(t, a, a.Ops, 3)
		var deep uint64
		for _, l := range a.Locks {
			deep += uint64(l.Depth)
		}
		checkSite(t, a, "(*Workload).dancer", deep)
	}},
	"matrix": {"", least{exits: 1, ops: 100}, func(t *testing.T, a workload.Account) {
		checkPairs(t, a, 1)
		if roles(a) != "ping pong spin wait wait wait wait wait" {
			t.Errorf("pins %q", roles(a))
		}
		checkSite(t, a, "(*Workload).exitLocked", a.LockedExits)
	}},
	"held": {"", least{}, func(t *testing.T, a workload.Account) {
		if len(a.Held) != 4 || roles(a) != "held held held" {
			t.Fatalf("%d held, pins %q", len(a.Held), roles(a))
		}
		for _, h := range a.Held {
			// keep, below, and the function that the goroutine began with, with the closures between them
			if len(h.Stack) < 40 || h.GoID <= 0 || (h.TID == 0) != (h.Depth == 0) ||
				!strings.HasPrefix(h.Stack[len(h.Stack)-1], packagePath+"(*Workload).hold.") {
				t.Errorf("got %+v", h)
			}
		}
	}},
	"interrupted": {"", least{eachPin: 1}, func(t *testing.T, a workload.Account) { checkOps(t, a, "sleep", 1) }},
	"idle": {"", least{}, func(t *testing.T, a workload.Account) {
		if a.Ops != 0 || a.LockedExits != 0 || len(a.Pins) != 0 {
			t.Errorf("did something: %+v", a)
		}
	}},
}

// Every program's account agrees with the kernel and with itself.
func TestAccountsAddUp(t *testing.T) {
	for _, p := range program.All() {
		c, ok := programCases[p.Name]
		if !ok {
			t.Errorf("no case for program %s", p.Name)
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			needCPUs(t, p.Name)
			c.args = p.Name + " -hold " + c.args
			c.run(t)
		})
	}
}

// run has the program work for the first length that is enough, and checks its account.
func (c programCase) run(t *testing.T) {
	t.Helper()
	for i, length := range lengths {
		w := activityBounds{began: testenv.Now()}
		p := testenv.Workload(t, strings.Fields(c.args)...)
		if strings.Contains(c.args, "-hold") {
			w.began = testenv.Now()
			p.Go()
		}
		time.Sleep(length) // the length of the activity; nothing waits for anything here
		w.quiesced = testenv.Now()
		a := p.Quiesce()
		if !c.least.done(a) && i < len(lengths)-1 {
			p.Stop()
			continue
		}
		if !c.least.done(a) {
			t.Errorf("in %v it did not do %+v: %+v", length, c.least, a)
		}
		checkAccount(t, p, a, w)
		c.check(t, a)
		last := p.Stop()
		last.Threads, a.Threads = nil, nil // the runtime may start one at any time
		if !reflect.DeepEqual(last, a) {
			t.Errorf("the last account differs from the one at rest:\n%+v\n%+v", last, a)
		}
		return
	}
}

// The variants of programs that are to be found harmless.
func TestCounterparts(t *testing.T) {
	for _, c := range []programCase{
		{"leak -n 2 -served", least{eachPin: 1}, func(t *testing.T, a workload.Account) { checkOps(t, a, "wait", 2) }},
		{"wedged -alive", least{eachPin: 1}, func(t *testing.T, a workload.Account) {
			checkOps(t, a, "main", 1)
			if len(a.Pins) != 1 || a.Pins[0].TID != a.PID || a.WedgedTID != 0 {
				t.Fatalf("pins %+v, wedged %d: want one, on the main thread", a.Pins, a.WedgedTID)
			}
			if want := packagePath + "(*Workload).seekMain"; a.Pins[0].Entry != want {
				t.Errorf("its goroutine began in %s, want %s", a.Pins[0].Entry, want)
			}
		}},
		{"perrequest -pool 2", least{ops: 5}, func(t *testing.T, a workload.Account) {
			if roles(a) != "serve serve" || len(a.Sites) != 0 {
				t.Errorf("pins %q, sites %+v", roles(a), a.Sites)
			}
		}},
		{"alter -restore", least{ops: 20}, func(t *testing.T, a workload.Account) {
			if n := changed(t, a); n != 0 {
				t.Errorf("%d threads have another policy, want none", n)
			}
		}},
		{"alter -early", least{ops: 1}, func(t *testing.T, a workload.Account) {
			if changed(t, a) == 0 || a.Ops != 1 {
				t.Errorf("%d threads have another policy after %d operations", changed(t, a), a.Ops)
			}
		}},
		{"alter -keep", least{eachPin: 5}, func(t *testing.T, a workload.Account) {
			for _, tid := range a.Threads {
				if (tid == a.Pins[0].TID) != (policyOf(t, tid) != policyOf(t, os.Getpid())) {
					t.Errorf("thread %d has policy %d, pins %+v: want another for the pinned one", tid, policyOf(t, tid), a.Pins)
				}
			}
		}},
		{"panics -deferred", least{ops: 20}, func(t *testing.T, a workload.Account) {
			checkSite(t, a, "(*Workload).failing", a.Ops)
		}},
		{"storm -gc -every 50ms", least{forcedGC: 1}, func(t *testing.T, a workload.Account) {
			if a.ForcedGC > uint64(a.End-a.Start)/50e6 || a.Stops != 0 {
				t.Errorf("%d collections, %d stops in %d ns", a.ForcedGC, a.Stops, a.End-a.Start)
			}
		}},
		{"sharedcore -apart", least{ops: 1}, func(t *testing.T, a workload.Account) {
			if len(a.Pins) != 1 {
				t.Fatalf("pins %+v, want one", a.Pins)
			}
			cpu := strconv.Itoa(a.Pins[0].CPUs[0])
			for _, tid := range a.Threads {
				list := strings.Split(taskStatus(t, a.PID, tid, "Cpus_allowed_list"), ",")
				if last := list[len(list)-1]; (last == cpu) != (tid == a.Pins[0].TID) || strings.HasSuffix(last, "-"+cpu) {
					t.Errorf("thread %d may run on %v; CPU %s is for thread %d alone", tid, list, cpu, a.Pins[0].TID)
				}
			}
		}},
		{"surplus -n 0", least{}, func(t *testing.T, a workload.Account) {
			if a.Ops != 0 || len(a.Pins) != 0 {
				t.Errorf("%d operations, %d pins", a.Ops, len(a.Pins))
			}
		}},
		{"idle -notify", least{}, func(t *testing.T, a workload.Account) {
			blocked := 0 // threads: that of runtime.ensureSigM, which is locked for that
			for deadline := time.Now().Add(10 * time.Second); blocked != 1 && time.Now().Before(deadline); {
				blocked = 0 // a thread that begins, or makes another, blocks them for a moment (runtime.newosproc)
				for _, tid := range a.Threads {
					if taskStatus(t, a.PID, tid, "SigBlk") != "0000000000000000" {
						blocked++
					}
				}
			}
			if blocked != 1 || a.Ops != 0 || len(a.Pins) != 0 {
				t.Errorf("%d threads block signals, %d operations, %d pins: want 1, none, none", blocked, a.Ops, len(a.Pins))
			}
		}},
	} {
		t.Run(c.args, func(t *testing.T) {
			needCPUs(t, strings.Fields(c.args)[0])
			c.run(t)
		})
	}
}

// changed counts the threads whose scheduling policy is not that of most.
func changed(t *testing.T, a workload.Account) int {
	t.Helper()
	n := map[int]int{}
	for _, tid := range a.Threads {
		n[policyOf(t, tid)]++
	}
	most := 0
	for _, count := range n {
		most = max(most, count)
	}
	return len(a.Threads) - most
}

func policyOf(t *testing.T, tid int) int {
	t.Helper()
	s := probe.StateOf(tid)
	if s.Policy == nil {
		t.Fatal(s.Error)
	}
	return *s.Policy
}
