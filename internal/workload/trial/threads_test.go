package trial_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func testTight(t *testing.T) {
	for _, flag := range []string{"", "-skip-lock", "-with-calls"} {
		a := runTrial(t, &trial.Tight{}, strings.Fields("tight -rounds 1 -chunks 4 -chunk 30ms "+flag)...)
		checkLoops(t, flag, a, flag != "-skip-lock")
		if inside(a) == 0 {
			t.Errorf("%s: the world never stopped inside a chunk", flag)
		}
	}
}

// checkLoops fails the test unless there is a loop of each kind that did all its chunks.
func checkLoops(t *testing.T, what string, a *trial.Tight, lock bool) {
	t.Helper()
	if len(a.Loops) != 6 {
		t.Fatalf("%s: %d loops", what, len(a.Loops))
	}
	for i, l := range a.Loops {
		if l.Disturb != []string{"none", "stop", "gc"}[i/2] || l.Locked != (i%2 == 0) || len(l.Chunks) != 4 ||
			l.Disturb == "none" && len(l.Stops) != 0 {
			t.Errorf("%s: loop %+v", what, l)
		}
		end := a.Start
		for _, c := range l.Chunks {
			// The clocks are read one after the other, hence the millisecond.
			if c.From < end || c.To <= c.From || c.CPU > c.To-c.From+1e6 ||
				l.Locked && lock && (c.TID != l.TID || c.Successor == c.TID || c.Wait < 0) {
				t.Errorf("%s: chunk %+v of the loop on thread %d", what, c, l.TID)
			}
			end = c.To
		}
		for _, s := range l.Stops {
			if s.From > s.To || s.From < l.Chunks[0].From || s.From > end || (s.Wait < 0) != (l.Disturb == "gc") && lock {
				t.Errorf("%s: stop %+v", what, s)
			}
		}
	}
}

// Without preemption by signals the loops still end, and the world never stops inside a chunk.
func TestLoopsWithoutPreemption(t *testing.T) {
	t.Setenv("GODEBUG", "asyncpreemptoff=1")
	a := runTrial(t, &trial.Tight{}, "tight", "-rounds", "1", "-chunks", "4", "-chunk", "30ms")
	checkLoops(t, "asyncpreemptoff", a, true)
	if a.Debug != "asyncpreemptoff=1" {
		t.Errorf("GODEBUG is %q in the account", a.Debug)
	}
	if n := inside(a); n > 0 {
		t.Errorf("the world stopped inside a chunk %d times", n)
	}
	a = runTrial(t, &trial.Tight{}, "tight", "-rounds", "1", "-chunks", "4", "-chunk", "30ms", "-with-calls")
	if inside(a) == 0 {
		t.Error("the world never stopped inside a chunk with calls")
	}
}

// inside counts the stops that began and ended inside one chunk.
func inside(a *trial.Tight) (n int) {
	for _, l := range a.Loops {
		for _, s := range l.Stops {
			for _, c := range l.Chunks {
				if s.From > c.From && s.To < c.To {
					n++
				}
			}
		}
	}
	return n
}

const schedBatch = 3 // SCHED_BATCH, include/uapi/linux/sched.h

func testInherit(t *testing.T) {
	for _, flag := range []string{"", "-skip-lock", "-alter", "-no-push"} {
		a := runTrial(t, &trial.Inherit{}, strings.Fields("inherit -n 2 -samples 200 "+flag)...)
		// Without its lock the goroutine may be moved while it alters its thread, if others want its
		// CPU. What it then altered is unknown.
		for i := 0; i < 20 && flag == "-skip-lock" && a.Origin.TID != a.Other.TID; i++ {
			a = runTrial(t, &trial.Inherit{}, strings.Fields("inherit -n 2 -samples 200 "+flag)...)
		}
		if flag == "-skip-lock" && a.Origin.TID != a.Other.TID {
			t.Logf("%s: not judged: the machine was busy (the goroutine was moved from thread %d to %d)",
				flag, a.Origin.TID, a.Other.TID)
			continue
		}
		if len(a.Kept) != 2 || len(a.Born) != 12 || len(a.All) < 12 || a.Origin.Error+a.Other.Error != "" {
			t.Fatalf("%s: %+v", flag, a)
		}
		if same(a.Origin, a.Other) || *a.Other.Nice != *a.Origin.Nice+1 || len(a.Other.CPUs) != 1 ||
			*a.Other.Policy != schedBatch {
			t.Errorf("%s: the thread was %+v, then altered to %+v", flag, a.Origin, a.Other)
		}
		others := 0
		for _, b := range a.Born {
			if !same(b.State, a.Origin) {
				others++
			}
			if b.New && slices.Contains(a.Before, b.State.TID) || b.GoID < 1 {
				t.Errorf("%s: born %+v", flag, b)
			}
		}
		if (others > 0) != (flag == "-skip-lock") {
			t.Errorf("%s: %d goroutines found an altered thread", flag, others)
		}
		for i, k := range a.Kept {
			checkKept(t, flag, k, i == 0)
		}
	}
}

func checkKept(t *testing.T, flag string, k trial.KeptThread, locked bool) {
	t.Helper()
	if k.Locked != locked || (locked && flag != "-skip-lock") != (len(k.TIDs) == 1) ||
		len(k.CPUs) == 0 || k.Samples != 200 {
		t.Errorf("%s: kept %+v", flag, k)
	}
	if flag != "-skip-lock" && same(k.Before, k.After) == (flag == "-alter") {
		t.Errorf("%s: state %+v, then %+v", flag, k.Before, k.After)
	}
	if push := locked && flag != "-no-push"; push == (len(k.Pushed) == 0) {
		t.Errorf("%s: pushed %+v", flag, k.Pushed)
	}
	for _, p := range k.Pushed {
		if flag != "-skip-lock" && (p.CPU != p.To || p.TID != k.Last.TID) {
			t.Errorf("%s: pushed %+v, on thread %d", flag, p, k.Last.TID)
		}
	}
}

// same reports whether two states are equal apart from the thread and the time.
func same(a, b probe.ThreadState) bool {
	a.TID, a.At = b.TID, b.At
	return reflect.DeepEqual(a, b)
}
