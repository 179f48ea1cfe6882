package trial_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/catalog"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func TestMain(m *testing.M) { os.Exit(testenv.MainAsWorkload(m, catalog.Main)) }

// runTrial runs a trial to its end in a process of its own, reads its account and checks its head.
func runTrial[T any](t *testing.T, account *T, args ...string) *T {
	t.Helper()
	before := probe.Now()
	p := testenv.Workload(t, args...)
	p.Read(account)
	p.End()
	h, ok := reflect.ValueOf(account).Elem().FieldByName("Head").Interface().(trial.Head)
	if !ok || h.Name != args[0] || h.PID != p.PID || h.GoMaxProcs < 1 || h.CPUs < 1 ||
		h.Start <= before || h.End <= h.Start || h.End > probe.Now() {
		t.Errorf("%v: head %+v", args, h)
	}
	if text := p.Stderr(); text != "" {
		t.Errorf("%v: stderr: %s", args, text)
	}
	return account
}

// trialTests has the test of each trial. TestTrials fails if one is missing.
var trialTests = map[string]func(*testing.T){
	"migrate": testMigrate, "nest": testNest, "cross": testCross, "onmain": testOnMain, "gcpin": testGCPin,
	"exits": testExits, "reuse": testReuse, "retake": testRetake, "grow": testGrow, "lockcost": testLockCost,
	"tax": testTax, "tight": testTight, "inherit": testInherit, "counts": testCounts, "overpin": testOverpin,
	"labels": testLabels, "schedtrace": testSchedTrace, "slices": testSlices, "parked": testParked,
	"lend": testLend, "elsewhere": testElsewhere,
}

func TestTrials(t *testing.T) {
	for _, trial := range trial.All() {
		test, ok := trialTests[trial.Name]
		if !ok {
			t.Errorf("no test of trial %s", trial.Name)
			continue
		}
		t.Run(trial.Name, test)
	}
}

func TestTrialIsHeld(t *testing.T) {
	p := testenv.Workload(t, "migrate", "-hold", "-samples", "5")
	sent := probe.Now()
	p.Go()
	var a trial.Migrate
	p.Read(&a)
	if a.Start < sent || len(a.Stretches) != 4 {
		t.Errorf("began at %d with %d stretches; go was sent at %d", a.Start, len(a.Stretches), sent)
	}
	if len(p.Threads()) == 0 {
		t.Error("no threads after the account: want them held")
	}
	p.End()
}

// The initialization holds the process on the main thread until a line comes, and leaves the rest
// of stdin alone.
func TestTrialAfterInit(t *testing.T) {
	t.Setenv(workload.InitVariable, "hold")
	cmd := exec.Command(testenv.WorkloadProgram(t), "migrate", "-hold", "-samples", "5")
	cmd.Stdin = strings.NewReader("on\ngo\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"name":"init"`) ||
		!strings.Contains(lines[1], `"name":"migrate"`) || !strings.Contains(lines[2], `"stretches"`) {
		t.Errorf("printed %q", lines)
	}
}

func TestTrialIsTraced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	runTrial(t, &trial.Migrate{}, "migrate", "-samples", "50", "-trace", file)
	trace, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(trace), "go 1.") {
		t.Errorf("%d bytes of trace, %v", len(trace), err)
	}
}

func TestTrialStoppedBeforeItBeginsDoesNothing(t *testing.T) {
	cmd := exec.Command(testenv.WorkloadProgram(t), "migrate", "-hold")
	cmd.Stdin = strings.NewReader("")
	if out, err := cmd.Output(); err != nil || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%v, printed %q", err, out)
	}
}

// checkStretch fails the test unless the stretch was bound to one thread, or was not, and its sums
// are right.
func checkStretch(t *testing.T, what string, s probe.Stretch, bound bool) {
	t.Helper()
	var sum uint64
	for _, c := range s.TIDs {
		sum += c.N
	}
	if sum != s.Samples || s.Samples == 0 || s.From >= s.To || s.GoID < 1 || s.TID < 1 || s.Visits > s.Checks ||
		uint64(len(s.Visitors)) != min(s.Visits, probe.MaxVisitors) {
		t.Errorf("%s: stretch %+v does not add up", what, s)
	}
	for _, v := range s.Visitors {
		if v.TID != s.TID || v.GoID == s.GoID || v.At < s.From || v.At > s.To {
			t.Errorf("%s: visit %+v to %+v", what, v, s)
		}
	}
	if alone := s.Moves+s.Visits+s.Strange == 0; alone != bound ||
		(len(s.TIDs) == 1 && s.TIDs[0].TID == s.TID) != (s.Moves == 0) {
		t.Errorf("%s: %d moves, %d visits, %d strange names on %v: bound %t, want %t",
			what, s.Moves, s.Visits, s.Strange, s.TIDs, alone, bound)
	}
	if s.Checks == 0 {
		t.Errorf("%s: no other goroutine checked its thread", what)
	}
}
