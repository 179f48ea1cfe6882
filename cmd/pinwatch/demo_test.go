package main

import (
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestDemo(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	code, stdout, stderr := pinwatch(t, "demo", "-d", "3s", "-o", "json")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	r := parse(t, stdout)
	if r.Loss.Total != 0 {
		t.Errorf("lost %d records", r.Loss.Total)
	}
	for name, n := range map[string]uint64{
		"created": r.Counts.ThreadsCreated, "exited": r.Counts.ThreadsExited, "switches": r.Counts.Switches,
		"sent": *r.Counts.SigurgSent, "delivered": r.Counts.SigurgDelivered,
	} {
		if n == 0 {
			t.Errorf("%s: none observed", name)
		}
	}
	if r.Target.GoVersion == nil || r.Counts.SigurgNotInjected == nil {
		t.Errorf("the Go side was not read: %+v", r.Target)
	}
}

// TestIntervals: every interval is a window, and together they have no gaps. On a slow machine a
// window ends late, so the test observes for longer until there are three.
func TestIntervals(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	var lines []string
	for d := 1500 * time.Millisecond; len(lines) < 4; d *= 3 {
		if d > time.Minute {
			t.Fatalf("%d intervals of 400 ms in %v", len(lines), d/3)
		}
		code, stdout, stderr := pinwatch(t, "demo", "-d", d.String(), "-i", "400ms", "-o", "ndjson")
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		lines = strings.Split(strings.TrimSpace(stdout), "\n")
	}
	var last, first int64
	whole := parse(t, lines[len(lines)-1])
	for i, line := range lines[:len(lines)-1] {
		r := parse(t, line)
		if i == 0 {
			first = r.Window.StartNS
		}
		if r.Final {
			t.Errorf("interval %d is marked final", i)
		}
		if i > 0 && r.Window.StartNS != last {
			t.Errorf("interval %d starts at %d, the one before ended at %d", i, r.Window.StartNS, last)
		}
		last = r.Window.EndNS
	}
	if !whole.Final || whole.Window.StartNS != first || whole.Window.EndNS < last {
		t.Errorf("the last object, final %t, covers %d to %d; the intervals cover %d to %d", whole.Final,
			whole.Window.StartNS, whole.Window.EndNS, first, last)
	}
}

func TestTextIntervals(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	code, stdout, stderr := pinwatch(t, "demo", "-d", "1s", "-i", "300ms")
	if code != exitOK || !strings.Contains(stdout, "create a thread") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
}
