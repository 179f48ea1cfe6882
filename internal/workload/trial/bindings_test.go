package trial_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func testMigrate(t *testing.T) {
	for _, skip := range []bool{false, true} {
		args := []string{"migrate", "-samples", "1500"}
		if skip {
			args = append(args, "-skip-lock")
		}
		a := runTrial(t, &trial.Migrate{}, args...)
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
		a := runTrial(t, &trial.Nest{}, strings.Fields("nest -depth 3 "+c.flag)...)
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
		a := runTrial(t, &trial.Cross{}, strings.Fields("cross "+c.flag)...)
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
		a := runTrial(t, &trial.OnMain{}, strings.Fields("onmain "+c.flag)...)
		if len(a.Runs) != 3 {
			t.Fatalf("%d runs", len(a.Runs))
		}
		for i, r := range a.Runs {
			if r.Where != []string{"init", "main", "nowhere"}[i] || r.MainGoID != 1 ||
				r.Init.GoID != 1 || r.Init.TID != r.PID || r.PID == os.Getpid() {
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
		a := runTrial(t, &trial.GCPin{}, strings.Fields("gcpin -rounds 2 "+c.flag)...)
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

// A coroutine of a locked goroutine is another goroutine, on its thread. (Without a lock it is, too:
// the claim of the turn is what the lock changes.)
func testLend(t *testing.T) {
	a := runTrial(t, &trial.Lend{}, "lend", "-turns", "50")
	if a.Missing || len(a.Turns) != 50 || a.After != a.TID {
		t.Fatalf("%+v", a)
	}
	for _, turn := range a.Turns {
		if turn.TID != a.TID || turn.GoID == a.GoID || turn.GoID != a.Turns[0].GoID {
			t.Errorf("goroutine %d locked to %d, turn %+v", a.GoID, a.TID, turn)
		}
	}
}

// Another goroutine's call changes a locked thread, and one for the calling thread alone does not.
func testElsewhere(t *testing.T) {
	_, _, errno := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0)
	withC := errno == syscall.ENOTSUP // as with the race detector; the workloads are this program
	for _, how := range []string{"allthreads", "setgid", "tid"} {
		for _, skip := range []string{"", " -skip-call"} {
			a := runTrial(t, &trial.Elsewhere{}, strings.Fields("elsewhere -calls 4 -how "+how+skip)...)
			if os.Getuid() != 0 && how == "setgid" && a.Refused != "" {
				continue
			}
			if withC && how == "allthreads" && skip == "" && a.Refused == syscall.ENOTSUP.Error() {
				continue
			}
			if a.Missing || a.Refused != "" || len(a.Calls) != 4 {
				t.Fatalf("%+v", a)
			}
			for _, c := range a.Calls {
				if changed := c.Before != c.After; changed != (skip == "") || c.Caller == c.TID {
					t.Errorf("%s%s: %+v", how, skip, c)
				}
			}
		}
	}
}
