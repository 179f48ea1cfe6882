package trial_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

func testCounts(t *testing.T) {
	for _, flag := range []string{"", "-skip-lock", "-stray"} {
		a := runTrial(t, &trial.Counts{}, strings.Fields("counts -n 6 "+flag)...)
		if len(a.Steps) != 7 || !slices.Contains(a.Names, "/sched/latencies:seconds") {
			t.Fatalf("%s: %d steps, metrics %v", flag, len(a.Steps), a.Names)
		}
		first, last := a.Steps[0], a.Steps[6]
		calm := 0
		for _, s := range a.Steps {
			if s.Calm {
				calm++
				if s.Status != s.Tasks || s.Metric != nil && *s.Metric != uint64(s.Tasks) {
					t.Errorf("%s: calm, but %+v", flag, s.Census)
				}
			}
			made := s.Pins
			if flag == "-stray" {
				made *= 2
			}
			if s.Goroutines-first.Goroutines != made || s.Profiled != s.Goroutines ||
				len(s.Metrics) < 4 {
				t.Errorf("%s: step %+v after %+v: want %d goroutines more", flag, s, first, made)
			}
			if m := s.Metrics[0]; m.Name != "/sched/threads:threads" || m.Kind != "unsupported" || m.Uint64 != nil {
				t.Errorf("metric %+v: no release has it", m)
			}
		}
		if calm == 0 {
			t.Errorf("%s: no calm step", flag)
		}
		if grown := last.Tasks-first.Tasks >= 3; grown != (flag != "-skip-lock") {
			t.Errorf("%s: %d threads, then %d", flag, first.Tasks, last.Tasks)
		}
	}
}

func testOverpin(t *testing.T) {
	for _, flag := range []string{"", "-skip-lock"} {
		a := runTrial(t, &trial.Overpin{}, strings.Fields("overpin -rounds 3 -workers 16 -bursts 20 "+flag)...)
		if len(a.Rounds) != 3 || a.Workers != 16 || a.Rounds[0].Locked != 16 ||
			a.Rounds[1].Locked != min(16, a.GoMaxProcs) || a.Rounds[2].Locked != 0 {
			t.Fatalf("%s: rounds %+v", flag, a.Rounds)
		}
		for _, r := range a.Rounds {
			if len(r.Waits) != 16*20 || !slices.IsSorted(r.Waits) || r.Waits[0] < 0 || r.From >= r.To || len(r.Latencies) == 0 {
				t.Errorf("%s: round with %d waits, %d buckets", flag, len(r.Waits), len(r.Latencies))
			}
		}
	}
}

func testLabels(t *testing.T) {
	for _, skip := range []bool{false, true} {
		args := []string{"labels", "-n", "3"}
		if skip {
			args = append(args, "-skip-labels")
		}
		a := runTrial(t, &trial.Labels{}, args...)
		if len(a.Workers) != 3 || !a.Workers[0].Locked || a.Workers[1].Locked || a.Workers[0].TID == a.Workers[2].TID {
			t.Fatalf("workers %+v", a.Workers)
		}
		for i := range a.Workers {
			if has := strings.Contains(a.Text, fmt.Sprintf("# labels: {%q:\"%d\"}", a.Label, i)); has == skip {
				t.Errorf("worker %d is labelled: %t; skipped: %t\n%s", i, has, skip, a.Text)
			}
		}
		z, err := gzip.NewReader(bytes.NewReader(a.Profile))
		if err != nil {
			t.Fatal(err)
		}
		if profile, err := io.ReadAll(z); err != nil || bytes.Contains(profile, []byte(a.Label)) == skip {
			t.Errorf("the profile has the label: %t, %v", skip, err)
		}
	}
}

func testSchedTrace(t *testing.T) {
	for _, flag := range []string{"", "-skip-lock", "-no-trace"} {
		args := append([]string{"schedtrace"}, strings.Fields(flag)...)
		a := runTrial(t, &trial.SchedTrace{}, args...)
		if flag != "-no-trace" && !traced(a, flag == "") { // sysmon, which prints, got no CPU meanwhile
			a = runTrial(t, &trial.SchedTrace{}, append(args, "-length", "10s")...)
		}
		if len(a.Runs) != 2 {
			t.Fatalf("%s: %d runs", flag, len(a.Runs))
		}
		for i, r := range a.Runs {
			detail := i == 1 && flag != "-no-trace"
			lines := r.Found["SCHED"]
			if (lines > 0) != (flag != "-no-trace") || r.Found["threads="] != lines || r.Found["idleprocs="] != lines ||
				(r.Found["lockedg="] > 0) != detail {
				t.Errorf("%s: run %d: found %v", flag, i, r.Found)
			}
			if len(r.Pins) != 3 || len(r.Steps) == 0 || r.From >= r.To {
				t.Errorf("%s: run %+v", flag, r)
			}
			for _, pin := range r.Pins {
				if found := r.Found[fmt.Sprintf("lockedg=%d", pin.GoID)]; (found > 0) != (detail && flag == "") {
					t.Errorf("%s: run %d: lockedg=%d found %d times", flag, i, pin.GoID, found)
				}
			}
		}
	}
}

// traced reports whether both runs have several traces and, if pins is set, the one with details
// has all pins.
func traced(a *trial.SchedTrace, pins bool) bool {
	for i, r := range a.Runs {
		if r.Found["SCHED"] < 5 {
			return false
		}
		for _, pin := range r.Pins {
			if pins && i == 1 && r.Found[fmt.Sprintf("lockedg=%d", pin.GoID)] == 0 {
				return false
			}
		}
	}
	return true
}
