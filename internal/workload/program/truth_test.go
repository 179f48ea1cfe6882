package program_test

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// needCPUs wants of a workload that can't be without a second CPU that it says so, and ends the test where there is none.
func needCPUs(t *testing.T, name string) {
	t.Helper()
	if name != "sharedcore" || runtime.NumCPU() > 1 {
		return
	}
	var out, errs strings.Builder
	if code := Main([]string{name}, strings.NewReader(""), &out, &errs); code != 1 || !strings.Contains(errs.String(), "two CPUs") {
		t.Errorf("on one CPU: exit %d, stderr %q", code, &errs)
	}
	runtime.Goexit() // what is left of the test is about two
}

// roles lists the roles of all pins in the order of the alphabet.
func roles(a workload.Account) string {
	var list []string
	for _, p := range a.Pins {
		list = append(list, p.Role)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// checkSite wants one function to have locked so often, at a line of the source that does.
func checkSite(t *testing.T, a workload.Account, function string, pins uint64) {
	t.Helper()
	if len(a.Sites) != 1 {
		t.Fatalf("sites %+v: want one", a.Sites)
	}
	s := a.Sites[0]
	if s.Function != "github.com/pinwatch/pinwatch/internal/workload."+function || s.Pins < pins || pins == 0 {
		t.Errorf("site %+v: want %d calls by %s", s, pins, function)
	}
	source, err := os.ReadFile(s.File)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(source), "\n")
	if s.Line > len(lines) || !strings.HasPrefix(strings.TrimSpace(lines[s.Line-1]), "runtime.LockOSThread()") {
		t.Errorf("%s:%d does not lock", s.File, s.Line)
	}
}

// checkLocks wants n stretches, of which no two of a thread or of a goroutine overlap.
func checkLocks(t *testing.T, a workload.Account, n uint64, deepest int) {
	t.Helper()
	if uint64(len(a.Locks)) != n || n == 0 {
		t.Errorf("%d stretches, want %d", len(a.Locks), n)
	}
	for i, l := range a.Locks {
		if l.From >= l.To || l.To > a.End || l.TID <= 0 || l.GoID <= 0 || l.Depth < 1 || l.Depth > deepest {
			t.Errorf("stretch %+v of an account until %d", l, a.End)
		}
		for _, o := range a.Locks[:i] {
			if (l.TID == o.TID || l.GoID == o.GoID) && l.From < o.To && o.From < l.To {
				t.Errorf("%+v and %+v overlap", l, o)
			}
		}
	}
}

// TestStepsChangeDepths holds every depth against the stretches that ended with it.
func TestStepsChangeDepths(t *testing.T) {
	p := start(t, "depth")
	depths := map[int64]int{}
	var a workload.Account
	for step := 1; step <= maxDepth; step++ { // all the way round
		p.tell("step")
		p.read(&a)
		var now []int
		for _, pin := range a.Pins {
			if was, ok := depths[pin.GoID]; ok && pin.Depth != was%maxDepth+1 {
				t.Errorf("step %d: pin %+v was at depth %d", step, pin, was)
			}
			depths[pin.GoID] = pin.Depth
			now = append(now, pin.Depth)
		}
		if slices.Sort(now); !slices.Equal(now, []int{1, 2, 3, 4, 5}) {
			t.Fatalf("step %d: depths %v", step, now)
		}
		if a.End != 0 {
			t.Errorf("step %d ended the activity", step)
		}
	}
	p.tell("quiesce")
	p.read(&a)
	checkLocks(t, a, maxDepth*(maxDepth+1), maxDepth)
	checkSite(t, a, "(*Workload).deepen", maxDepth*(maxDepth-1))

	p.tell("step")
	p.tell("stop")
	if last := p.end(); len(last.Locks) != len(a.Locks) {
		t.Errorf("stepped at rest: %d stretches, then %d", len(a.Locks), len(last.Locks))
	}
}

// TestCounterparts runs the forms of workloads that are to be found harmless.
func TestCounterparts(t *testing.T) {
	for _, c := range []struct {
		args  string
		check func(*testing.T, workload.Account)
	}{
		{"leak -n 2 -served", func(t *testing.T, a workload.Account) { checkOps(t, a, "wait", 2) }},
		{"wedged -alive", func(t *testing.T, a workload.Account) {
			checkOps(t, a, "main", 1)
			if len(a.Pins) != 1 || a.Pins[0].TID != a.PID || a.WedgedTID != 0 {
				t.Fatalf("pins %+v, wedged %d: want one, on the main thread", a.Pins, a.WedgedTID)
			}
			if want := "github.com/pinwatch/pinwatch/internal/workload.(*Workload).seekMain"; a.Pins[0].Entry != want {
				t.Errorf("its goroutine began in %s, want %s", a.Pins[0].Entry, want)
			}
		}},
		{"perrequest -pool 2", func(t *testing.T, a workload.Account) {
			if roles(a) != "serve serve" || a.Ops < 5 || len(a.Sites) != 0 {
				t.Errorf("pins %q, %d operations, sites %+v", roles(a), a.Ops, a.Sites)
			}
		}},
		{"storm -gc -every 50ms", func(t *testing.T, a workload.Account) {
			if a.ForcedGC == 0 || a.ForcedGC > uint64(a.End-a.Start)/50e6 || a.Stops != 0 {
				t.Errorf("%d collections, %d stops in %d ns", a.ForcedGC, a.Stops, a.End-a.Start)
			}
		}},
		{"sharedcore -apart", func(t *testing.T, a workload.Account) {
			if len(a.Pins) != 1 {
				t.Fatalf("pins %+v, want one", a.Pins)
			}
			cpu := strconv.Itoa(a.Pins[0].CPUs[0])
			for _, tid := range a.Threads {
				list := strings.Split(taskStatus(t, a.PID, tid, "Cpus_allowed_list"), ",")
				if last := list[len(list)-1]; (last == cpu) != (tid == a.Pins[0].TID) || strings.HasSuffix(last, "-"+cpu) {
					t.Errorf("thread %d may run on %v; %s is of thread %d alone", tid, list, cpu, a.Pins[0].TID)
				}
			}
		}},
		{"surplus -n 0", func(t *testing.T, a workload.Account) {
			if a.Ops != 0 || len(a.Pins) != 0 {
				t.Errorf("%d operations, %d pins", a.Ops, len(a.Pins))
			}
		}},
		{"idle -notify", func(t *testing.T, a workload.Account) {
			blocked := 0
			for _, tid := range a.Threads {
				if taskStatus(t, a.PID, tid, "SigBlk") != "0000000000000000" {
					blocked++ // runtime.ensureSigM's, for which it is locked
				}
			}
			if blocked != 1 || a.Ops != 0 || len(a.Pins) != 0 {
				t.Errorf("%d threads block signals, %d operations, %d pins: want 1, none, none", blocked, a.Ops, len(a.Pins))
			}
		}},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			needCPUs(t, args[0])
			before := probe.Now()
			p := start(t, args...)
			time.Sleep(300 * time.Millisecond) // the length of the run; nothing waits for anything here
			p.tell("quiesce")
			var a workload.Account
			p.read(&a)
			checkAccount(t, p, a, before)
			c.check(t, a)
			p.tell("stop")
			p.end()
		})
	}
}
