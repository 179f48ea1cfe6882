package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/loader"
)

// TestFlagsReachTheObservation checks that each flag of attach has its effect on the report.
func TestFlagsReachTheObservation(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	pid := strconv.Itoa(testenv.Workload(t, "pingpong").PID)
	ready := filepath.Join(t.TempDir(), "ready")
	for flag, works := range map[string]func(r *report.Report) bool{
		"--light":               func(r *report.Report) bool { return r.Observer.Hooks["tgkill"] == loader.Off },
		"--aggregate":           func(r *report.Report) bool { return r.Observer.Aggregated },
		"--sites":               func(r *report.Report) bool { return r.Observer.Probe != nil },
		"--thread-entries=1":    func(r *report.Report) bool { return r.Counts.Threads > 0 },
		"--ready-file=" + ready: func(*report.Report) bool { _, err := os.Stat(ready); return err == nil },
	} {
		code, stdout, stderr := pinwatch(t, "attach", "-p", pid, "-d", "200ms", "-o", "json", flag)
		if code != exitOK {
			t.Fatalf("%s: exit code %d: %s", flag, code, stderr)
		}
		if r := parse(t, stdout); !works(&r) {
			t.Errorf("%s: no effect: %+v", flag, r.Observer)
		}
	}
	wrong(t, exitError, []string{ready, "exists"}, "attach", "-p", pid, "-d", "1s", "--ready-file", ready)
	table := filepath.Join(t.TempDir(), "offsets")
	if err := os.WriteFile(table, []byte("# no table\nfoo bar\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong(t, exitError, []string{"--offsets", table, "line 2"}, "attach", "-p", pid, "-d", "1s", "--offsets", table)
	wrong(t, exitError, []string{"--go-version", "go1.13", "the program names its release"},
		"attach", "-p", pid, "-d", "1s", "--go-version", "go1.13")
	if sleeping, ok := startSleep(t); ok {
		wrong(t, exitError, []string{"--sites", "not a Go program"},
			"attach", "-p", strconv.Itoa(sleeping), "-d", "1s", "--sites")
	}
}
