package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/summary"
	"github.com/pinwatch/pinwatch/internal/target"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/loader"
)

// TestRepeatedProblems: of each kind of problem the first three are said, and how many more there were, and the
// summary has all.
func TestRepeatedProblems(t *testing.T) {
	var out strings.Builder
	r := &group{streams: streams{err: &out}, progress: &progress{}, sum: summary.New()}
	r.repeats = &repeats{print: r.say}
	for pid := range 1003 {
		r.problem(pid, fmt.Errorf("process %d: %w", pid, loader.ErrNoProcess))
		if pid < 4 {
			r.limit(fmt.Errorf("process %d: %w", pid, fs.ErrPermission))
		}
		if pid < 2 {
			r.problem(pid, fmt.Errorf("process %d: something else", pid))
		}
	}
	r.repeats.rest()
	want := `pinwatch: process 0: no such process
pinwatch: process 0: permission denied
pinwatch: process 0: something else
pinwatch: process 1: no such process
pinwatch: process 1: permission denied
pinwatch: process 1: something else
pinwatch: process 2: no such process
pinwatch: process 2: permission denied
pinwatch: 1,000 more: no such process
pinwatch: 1 more: not permitted
`
	if out.String() != want {
		t.Errorf("%s", &out)
	}
	in := r.sum.Report(summary.Meta{}).Incomplete
	if got := fmt.Sprint(in.Failed, in.InPart); got != "[{no_process no such process 1003} {other for other reasons 2}] "+
		"[{permission not permitted 4}]" {
		t.Errorf("%s", got)
	}
	if !r.failed || report.LostExec != observe.LostExec {
		t.Errorf("failed %t, %s", r.failed, report.LostExec)
	}
}

// Many processes that are no Go programs, and many that are gone, are a few lines.
func TestAttachManyProblems(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	var list []string
	for i := range 10 {
		pid, _ := startSleep(t)
		list = append(list, fmt.Sprint(pid), fmt.Sprint(1<<30+i), fmt.Sprint(1<<30+i))
	}
	code, stdout, stderr := pinwatch(t, "attach", "-p", strings.Join(list, ","), "-d", "200ms", "-v")
	if code != exitError {
		t.Errorf("exit code %d, want %d", code, exitError)
	}
	for words, n := range map[string]int{"not a Go program": 4, "no such process": 4, "is in the list twice": 3,
		"pinwatch: 7 more: ": 2, "pinwatch: 7 more PIDs are in the list twice": 1, "\n": 12} {
		if got := strings.Count(stderr, words); got != n {
			t.Errorf("%q %d times, want %d", words, got, n)
		}
	}
	if t.Failed() || !strings.Contains(stdout, "\nin part     10: not a Go program: the kernel side only\n") ||
		!strings.Contains(stdout, "\nnot seen    10: no such process\n") {
		t.Errorf("%s\n%s", stderr, stdout)
	}
}

// The terminal of a command that run starts shows no progress, and a line for people replaces it.
func TestProgress(t *testing.T) {
	ours, its := terminalPair(t)
	defer its.Close()
	attached := &group{streams: streams{err: its}, sum: summary.New()}
	attached.progress = newProgress(attached.streams, observe.Config{Duration: 90 * time.Second})
	attached.progress.what = "1,024 processes"
	attached.progress.tick(1500*time.Millisecond, 1234567)
	attached.say("said")
	want := "\r\x1b[Kobserving 1,024 processes: 1.5 s of 90 s, 1,234,567 events\r\x1b[Kpinwatch: said\r\n"
	b := make([]byte, 200)
	if n, err := ours.Read(b); err != nil || string(b[:n]) != want {
		t.Errorf("%q, %v", b[:n], err)
	}
	started := &group{streams: streams{err: its}, g: groupOptions{start: func() (int, error) { return 0, nil }}}
	var err error
	if started.chooser, err = target.NewChooser(os.DirFS("/"), target.Choice{}); err != nil {
		t.Fatal(err)
	}
	if started.config(); started.progress.w != nil {
		t.Error("progress beside a command's output")
	}
}
