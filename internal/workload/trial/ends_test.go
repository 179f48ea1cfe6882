package trial_test

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func testExits(t *testing.T) {
	for _, c := range []struct {
		flag         string
		held, others bool // threads of goroutines that end locked go, those of others go
		status       int  // of the process with a panic
	}{
		{"", true, false, 2},
		{"-skip-lock", false, false, 2},
		{"-skip-unlock", true, true, 2},
		{"-recover", true, false, 0},
	} {
		a := runTrial(t, &trial.Exits{}, strings.Fields("exits -n 2 -watch 300ms "+c.flag)...)
		if len(a.Exits) != 2*8 {
			t.Fatalf("%s: %d exits", c.flag, len(a.Exits))
		}
		for _, e := range a.Exits {
			want := e.Locked && c.held || !e.Locked && c.others
			if (e.Gone > 0) != want || e.TID == a.PID || e.Gone > 0 && (e.Gone < e.Ended || e.Gone < e.Seen) {
				t.Errorf("%s: %+v: want its thread gone: %t", c.flag, e, want)
			}
			for i, s := range e.Recovered {
				checkStretch(t, e.How+" "+c.flag, s, c.flag != "-skip-lock")
				if i > 0 && c.flag != "-skip-lock" && s.TID != e.TID {
					t.Errorf("%s: on thread %d before the panic, %d after it", e.How, e.TID, s.TID)
				}
			}
		}
		if len(a.Processes) != 4 {
			t.Fatalf("%s: %d processes", c.flag, len(a.Processes))
		}
		checkPanic(t, c.flag, a.Processes[0], c.status)
		checkGoexit(t, c.flag, a.Processes[1], c.held)
		checkCoroutine(t, c.flag, a.Processes[2], "coroutine locks", "got lock external 1, want 0")
		checkCoroutine(t, c.flag, a.Processes[3], "coroutine unlocks", "got lock external 0, want 1")
	}
}

// A coroutine that changes the lock it was lent ends the process, and one that has none to change
// does not.
func checkCoroutine(t *testing.T, flag string, p trial.ExitProcess, how, complaint string) {
	t.Helper()
	status := 2
	if flag == "-skip-lock" {
		status = 0
	}
	if p.How != how || p.Status != status || strings.Contains(p.Stderr, complaint) != (status != 0) {
		t.Errorf("%s: %+v: want %s, status %d", flag, p, how, status)
	}
}

func checkPanic(t *testing.T, flag string, p trial.ExitProcess, status int) {
	t.Helper()
	locked := strings.Contains(p.Stderr, "[running, locked to thread]")
	if p.How != "panic" || p.Status != status || strings.Contains(p.Stderr, "panic: meant") != (status != 0) ||
		locked != (status != 0 && flag != "-skip-lock") {
		t.Errorf("%s: %+v: want status %d", flag, p, status)
	}
}

func checkGoexit(t *testing.T, flag string, p trial.ExitProcess, wedged bool) {
	t.Helper()
	if p.How != "goexit from main" || p.Signal != 9 || p.Main == nil {
		t.Fatalf("%s: %+v", flag, p)
	}
	m := p.Main
	if !m.Alive || m.Checks == 0 || wedged && (m.TID != m.PID || m.State != "S" || m.Visits != 0) {
		t.Errorf("%s: %+v: want the main thread parked for ever: %t", flag, *m, wedged)
	}
}

func testReuse(t *testing.T) {
	for _, skip := range []bool{false, true} {
		args := []string{"reuse", "-n", "6"}
		if skip {
			args = append(args, "-skip-unlock")
		}
		a := runTrial(t, &trial.Reuse{}, args...)
		if len(a.Rounds) != 12 {
			t.Fatalf("%d rounds", len(a.Rounds))
		}
		var reused, dead int
		var checks uint64
		for _, r := range a.Rounds {
			if r.Before != 0 || r.TID == a.PID || r.Until <= r.Unlocking {
				t.Errorf("round %+v", r)
			}
			checks += r.Checks
			if f := r.First; f != nil {
				reused++
				if f.TID != r.TID || f.GoID == r.GoID || f.At > r.Until {
					t.Errorf("round %+v: first visit %+v", r, *f)
				}
			}
			if !r.Alive {
				dead++
			}
		}
		if checks == 0 {
			t.Error("no other goroutine checked its thread")
		}
		if skip && (reused > 0 || dead == 0 || dead > 6) || !skip && (reused == 0 || dead > 0) {
			t.Errorf("unlock skipped: %t: %d threads reused, %d dead", skip, reused, dead)
		}
	}
}

func testRetake(t *testing.T) {
	for _, c := range []struct {
		flags        string
		lock, blocks bool
	}{{"", true, true}, {"-park", true, false}, {"-park -skip-lock", false, false}} {
		a := runTrial(t, &trial.Retake{}, strings.Fields("retake -n 5 "+c.flags)...)
		if len(a.Rounds) != 20 {
			t.Fatalf("%d rounds", len(a.Rounds))
		}
		// Rounds in which the other goroutine ran on the thread of the first while that was in its
		// call, by whether the first was locked.
		same := map[bool]int{}
		for _, r := range a.Rounds {
			if r.Enter == 0 || r.Other == 0 || r.Leave < r.Enter || r.Locked && c.lock && r.TID != r.After ||
				c.blocks && r.Kind == "pipe" && r.Other > r.Leave {
				t.Errorf("%s: %+v", c.flags, r)
			}
			if r.OtherTID == r.TID && r.Other < r.Leave {
				same[r.Locked]++
			}
		}
		if c.lock != (same[true] == 0) || !c.blocks && same[false] == 0 {
			t.Errorf("%s: on one thread: %v", c.flags, same)
		}
	}
}
