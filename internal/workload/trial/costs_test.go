package trial_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func testGrow(t *testing.T) {
	for _, flag := range []string{"", "-skip-lock", "-unlock"} {
		a := runTrial(t, &trial.Grow{}, strings.Fields("grow -steps 6 -rounds 2 -n 16 "+flag)...)
		if len(a.Steps) != 7 || len(a.Bursts) != 4 {
			t.Fatalf("%s: %d steps, %d bursts", flag, len(a.Steps), len(a.Bursts))
		}
		first, last := a.Steps[0], a.Steps[6]
		for i, s := range a.Steps {
			if s.Pins != i || s.Tasks < 2 || s.Status < s.Tasks-2 || s.Status > s.Tasks+2 || s.At < a.Start {
				t.Errorf("%s: step %+v", flag, s)
			}
		}
		// There is a thread for each, the template thread, and one that waits for them.
		if grown := last.Tasks >= 6+2; flag != "-skip-lock" && !grown {
			t.Errorf("%s: %d threads, then %d", flag, first.Tasks, last.Tasks)
		}
		var born [4]int
		for i, b := range a.Bursts {
			born[i] = checkBurst(t, flag, b, i)
		}
		if flag == "" && slices.Min(born[1:]) == 0 { // the threads of the burst before have died
			t.Errorf("new threads: %v", born)
		}
		// The runtime may start one or two for itself.
		if flag == "-skip-lock" && born[2] > 2 || flag == "-unlock" && born[3] > 2 {
			t.Errorf("%s: new threads: %v", flag, born)
		}
	}
}

// checkBurst returns how many goroutines of the burst were the first on a new thread.
func checkBurst(t *testing.T, flag string, b trial.GrowBurst, i int) (born int) {
	t.Helper()
	if b.Kind != []string{"channel", "syscall"}[i%2] || len(b.Pins) != 16 || b.Start >= b.End || b.Tasks != len(b.After) {
		t.Errorf("%s: burst %+v", flag, b)
	}
	tids := map[int]bool{}
	for _, p := range b.Pins {
		if p.Made < b.Start || p.First < p.Made || p.Locked < p.First || p.Blocking < p.Locked ||
			p.New && slices.Contains(b.Before, p.TID) {
			t.Errorf("%s: pin %+v", flag, p)
		}
		if tids[p.TID] && flag != "-skip-lock" {
			t.Errorf("%s: two goroutines on thread %d", flag, p.TID)
		}
		tids[p.TID] = true
		if p.New {
			born++
		}
	}
	return born
}

func testLockCost(t *testing.T) {
	fastest := map[string]float64{}
	for _, flag := range []string{"", "-skip-lock", "-slow 20000"} {
		a := runTrial(t, &trial.LockCost{}, strings.Fields("lockcost -n 20 -batch 20 -firsts 3 "+flag)...)
		if len(a.Lock) != 20 || len(a.Unlock) != 20 || len(a.Pair) != 20 || len(a.Empty) != 20 || len(a.Firsts) != 3 {
			t.Fatalf("%s: %+v", flag, a)
		}
		for _, f := range a.Firsts {
			if f.Wall <= 0 || f.Second <= 0 || f.Clock <= 0 || f.PID == a.PID || f.After < f.Before {
				t.Errorf("%s: %+v", flag, f)
			}
			if flag == "" && f.After == f.Before && !linkedWithC(t) {
				t.Errorf("the first lock started no thread: %+v", f)
			}
		}
		best := a.Pair[0].Wall
		for _, c := range a.Pair {
			best = min(best, c.Wall)
		}
		fastest[flag] = best
	}
	if fastest["-slow 20000"] < 10*fastest[""] || fastest[""] <= 0 {
		t.Errorf("a pair costs %v ns", fastest)
	}
}

// linkedWithC reports whether this program is linked with C, as with the race detector. The runtime
// then has its template thread from the start.
func linkedWithC(t *testing.T) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(maps), "/libc")
}

func testTax(t *testing.T) {
	for _, flag := range []string{"", "-skip-lock"} {
		a := runTrial(t, &trial.Tax{}, strings.Fields("tax -n 10 "+flag)...)
		if len(a.Rounds) != 30 || a.Batch != 200 {
			t.Fatalf("%s: %d rounds of %d", flag, len(a.Rounds), a.Batch)
		}
		var waits [3]int64
		for i, r := range a.Rounds {
			if r.Locked != i%3 || r.Wall <= 0 || r.CPU < 0 || r.Start < a.Start {
				t.Errorf("%s: %+v", flag, r)
			}
			waits[r.Locked] += r.Voluntary
		}
		// Each hand-off to or from a locked goroutine parks a thread.
		if dear := waits[2] > 10*200 && waits[1] > 10*200; dear != (flag == "") || waits[0] > 10*200 {
			t.Errorf("%s: context switches by locked goroutines: %v", flag, waits)
		}
	}
}
