package trial_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// perform runs a trial to its end in a process of its own, reads its account and checks its head.
func perform[T Result](t *testing.T, account T, args ...string) T {
	t.Helper()
	before := probe.Now()
	p := start(t, args...)
	p.read(account)
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("%v: %v; stderr: %s", args, err, p.stderr.String())
	}
	if h := account.head(); h.Name != args[0] || h.PID != p.ready.PID || h.GoMaxProcs < 1 || h.CPUs < 1 ||
		h.Start <= before || h.End <= h.Start || h.End > probe.Now() {
		t.Errorf("%v: head %+v", args, *h)
	}
	if p.stderr.Len() != 0 {
		t.Errorf("%v: stderr: %s", args, p.stderr.String())
	}
	return account
}

// trialTests has what each trial is held against. That all are there is checked.
var trialTests = map[string]func(*testing.T){
	"migrate": testMigrate, "nest": testNest, "cross": testCross, "onmain": testOnMain, "gcpin": testGCPin,
	"exits": testExits, "reuse": testReuse, "retake": testRetake,
	"grow": testGrow, "lockcost": testLockCost, "tax": testTax,
	"tight": testTight, "inherit": testInherit,
	"counts": testCounts, "overpin": testOverpin, "labels": testLabels, "schedtrace": testSchedTrace, "order": testOrder,
	"slices": testSlices, "parked": testParked,
}

func TestTrials(t *testing.T) {
	for _, info := range Trials() {
		test, ok := trialTests[info.Name]
		if !ok {
			t.Errorf("no test of trial %s", info.Name)
			continue
		}
		t.Run(info.Name, test)
	}
}

func TestTrialIsHeld(t *testing.T) {
	p := start(t, "migrate", "-hold", "-samples", "5")
	told := probe.Now()
	p.tell("go")
	var a Migrate
	p.read(&a)
	if a.Start < told || len(a.Stretches) != 4 {
		t.Errorf("began at %d with %d stretches; told at %d", a.Start, len(a.Stretches), told)
	}
	if tasks := p.tasks(); len(tasks) == 0 || tasks[0] != p.ready.PID {
		t.Errorf("threads %v after the account: want them held", tasks)
	}
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestTrialAfterInit wants the initialization to hold until a line comes, on the main thread, and to leave the rest of stdin alone.
func TestTrialAfterInit(t *testing.T) {
	t.Setenv(workload.InitVariable, "hold")
	cmd := command("migrate", "-hold", "-samples", "5")
	cmd.Stdin = strings.NewReader("on\ngo\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"name":"init"`) || !strings.Contains(lines[1], `"name":"migrate"`) || !strings.Contains(lines[2], `"stretches"`) {
		t.Errorf("printed %q", lines)
	}
}

func TestTrialIsTraced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	perform(t, &Migrate{}, "migrate", "-samples", "50", "-trace", file)
	trace, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(trace), "go 1.") {
		t.Errorf("%d bytes of trace, %v", len(trace), err)
	}
}

func TestTrialToldToStopDoesNothing(t *testing.T) {
	p := start(t, "migrate", "-hold")
	p.stdin.Close()
	if line, err := p.out.ReadString('\n'); err == nil {
		t.Errorf("printed %q", line)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestTrialWithoutItsArgumentsCannotStartItself(t *testing.T) {
	var out, errs strings.Builder
	if code := Main([]string{"onmain"}, strings.NewReader(""), &out, &errs); code != 1 || !strings.Contains(errs.String(), "start myself again") {
		t.Errorf("exit %d, stderr %q", code, &errs)
	}
}

func TestTrialMistakes(t *testing.T) {
	for _, args := range []string{
		"migrate -locked 9", "migrate -samples 0", "nest -depth 0", "cross -calls 0", "onmain -samples 0", "onmain -in-child main", "gcpin -rounds 0",
		"exits -n 0", "exits -in-child dance", "reuse -watch 0", "retake -block -1s", "grow -n 0", "lockcost -slow -1", "tax -batch 0",
		"tight -chunk 0", "inherit -looks 0",
		"counts -n 0", "overpin -workers 0", "labels -n 0", "schedtrace -every 0", "order -runs 0",
	} {
		var out, errs strings.Builder
		if code := Main(strings.Fields(args), strings.NewReader(""), &out, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%q: exit %d, stderr %q", args, code, &errs)
		}
	}
}

// checkStretch wants a stretch that was bound to one thread, or one that was not; its sums must be right in any case.
func checkStretch(t *testing.T, what string, s probe.Stretch, bound bool) {
	t.Helper()
	var sum uint64
	for _, c := range s.TIDs {
		sum += c.N
	}
	if sum != s.Samples || s.Samples == 0 || s.From >= s.To || s.GoID < 1 || s.TID < 1 || s.Visits > s.Looks || uint64(len(s.Visitors)) != min(s.Visits, probe.MaxVisitors) {
		t.Errorf("%s: stretch %+v does not add up", what, s)
	}
	for _, v := range s.Visitors {
		if v.TID != s.TID || v.GoID == s.GoID || v.At < s.From || v.At > s.To {
			t.Errorf("%s: visit %+v to %+v", what, v, s)
		}
	}
	if alone := s.Moves+s.Visits+s.Strange == 0; alone != bound || (len(s.TIDs) == 1 && s.TIDs[0].TID == s.TID) != (s.Moves == 0) {
		t.Errorf("%s: %d moves, %d visits, %d strange names on %v: bound %t, want %t", what, s.Moves, s.Visits, s.Strange, s.TIDs, alone, bound)
	}
	if s.Looks == 0 {
		t.Errorf("%s: nobody looked", what)
	}
}

func testMigrate(t *testing.T) {
	for _, skip := range []bool{false, true} {
		args := []string{"migrate", "-samples", "1500"}
		if skip {
			args = append(args, "-skip-lock")
		}
		a := perform(t, &Migrate{}, args...)
		if len(a.Stretches) != 4 {
			t.Fatalf("%d stretches", len(a.Stretches))
		}
		for i, s := range a.Stretches {
			if locked := i < 2; s.Locks == 1 != locked {
				t.Errorf("stretch %d: %d locks", i, s.Locks)
			}
			checkStretch(t, strings.Join(args, " "), s, s.Locks > 0 && !skip)
		}
	}
}

func testNest(t *testing.T) {
	for _, c := range []struct {
		flag string
		last int // the fewest locks at which the goroutine is bound
	}{{"", 1}, {"-skip-lock", 2}, {"-skip-unlock", 0}} {
		a := perform(t, &Nest{}, append([]string{"nest", "-depth", "3"}, strings.Fields(c.flag)...)...)
		if len(a.Rounds) != 3 {
			t.Fatalf("%d rounds", len(a.Rounds))
		}
		for i, r := range a.Rounds {
			if r.Locks != i+1 || r.Surplus != 2 || len(r.Steps) != r.Locks+1 {
				t.Fatalf("round %d: %+v", i, r)
			}
			for k, s := range r.Steps {
				if s.Locks != r.Locks-k {
					t.Errorf("step %d of %d locks: %d", k, r.Locks, s.Locks)
				}
				checkStretch(t, "nest "+c.flag, s, s.Locks >= c.last)
			}
		}
	}
}

func testCross(t *testing.T) {
	for _, c := range []struct {
		flag  string
		bound [4]bool // One and Other of unlock, of lock
	}{
		{"", [4]bool{true, false, false, true}},
		{"-skip-lock", [4]bool{}},
		{"-swap", [4]bool{false, false, true, false}},
	} {
		a := perform(t, &Cross{}, append([]string{"cross"}, strings.Fields(c.flag)...)...)
		if len(a.Phases) != 2 || a.Phases[0].What != "unlock" || a.Phases[1].What != "lock" {
			t.Fatalf("phases %+v", a.Phases)
		}
		for i, p := range a.Phases {
			checkStretch(t, c.flag+" one, "+p.What, p.One, c.bound[2*i])
			checkStretch(t, c.flag+" other, "+p.What, p.Other, c.bound[2*i+1])
		}
	}
}

func testOnMain(t *testing.T) {
	for _, c := range []struct {
		flag        string
		main, after [3]bool // bound, of the runs that lock in init, in main and nowhere
	}{
		{"", [3]bool{true, true, false}, [3]bool{}},
		{"-skip-lock", [3]bool{}, [3]bool{}},
		{"-skip-unlock", [3]bool{true, true, false}, [3]bool{true, true, false}},
	} {
		a := perform(t, &OnMain{}, append([]string{"onmain"}, strings.Fields(c.flag)...)...)
		if len(a.Runs) != 3 {
			t.Fatalf("%d runs", len(a.Runs))
		}
		for i, r := range a.Runs {
			if r.Where != []string{"init", "main", "nowhere"}[i] || r.MainGoID != 1 || r.Init.GoID != 1 || r.Init.TID != r.PID || r.PID == os.Getpid() {
				t.Errorf("run %+v", r)
			}
			checkStretch(t, c.flag+" init, locked in "+r.Where, r.Init, true)
			checkStretch(t, c.flag+" main, locked in "+r.Where, r.Main, c.main[i])
			checkStretch(t, c.flag+" after, locked in "+r.Where, r.After, c.after[i])
		}
	}
}

func testGCPin(t *testing.T) {
	for _, c := range []struct {
		flag          string
		bound, cycles bool
	}{{"", true, true}, {"-skip-lock", false, true}, {"-no-gc", true, false}} {
		a := perform(t, &GCPin{}, append([]string{"gcpin", "-rounds", "2"}, strings.Fields(c.flag)...)...)
		if len(a.Rounds) != 2 {
			t.Fatalf("%d rounds", len(a.Rounds))
		}
		for _, r := range a.Rounds {
			checkStretch(t, "gcpin "+c.flag, r.Stretch, r.Locked && c.bound)
			checkStretch(t, "after gcpin "+c.flag, r.After, false)
			if c.cycles != (len(r.Cycles) > 0) || uint64(len(r.Cycles)) > r.GCs || c.cycles && len(r.Pauses) == 0 {
				t.Errorf("%s: %d cycles in %d collections, %d pauses", c.flag, len(r.Cycles), r.GCs, len(r.Pauses))
			}
		}
	}
}
