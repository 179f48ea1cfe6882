package observe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/loader"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// TestValidate: a Config that cannot be used is refused before anything is opened.
func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		words string // of the error; "" = none
		cfg   observe.Config
	}{
		{"", observe.Config{PID: 1}},
		{"", observe.Config{PID: 1, Duration: time.Second, Interval: observe.MinInterval}},
		{"", observe.Config{PID: 1, MaxRate: 100, ThreadEntries: 1}},
		{"PID 0", observe.Config{}},
		{"duration", observe.Config{PID: 1, Duration: -1}},
		{"interval", observe.Config{PID: 1, Interval: observe.MinInterval - 1}},
		{"ring", observe.Config{PID: 1, RingBytes: -1}},
		{"rate limit", observe.Config{PID: 1, MaxRate: 1}},
		{"aggregation", observe.Config{PID: 1, MaxRate: 100, Aggregate: true}},
		{"thread entries", observe.Config{PID: 1, ThreadEntries: 3}},
	} {
		err := tt.cfg.Validate()
		if (err == nil) != (tt.words == "") || err != nil && !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%+v: %v, want %q", tt.cfg, err, tt.words)
		}
		if err != nil {
			if _, runErr := observe.Run(t.Context(), tt.cfg); runErr == nil || runErr.Error() != err.Error() {
				t.Errorf("Run: %v, want %v", runErr, err)
			}
		}
	}
}

// calls records the callbacks of one observation.
type calls struct {
	order     []string // the first call of each, in order
	events    uint64
	intervals []*observe.Window
	progress  uint64 // the number of events at the last OnProgress
}

func (c *calls) add(name string) {
	if len(c.order) == 0 || c.order[len(c.order)-1] != name && !strings.Contains(strings.Join(c.order, " "), name) {
		c.order = append(c.order, name)
	}
}

func (c *calls) config(pid int) observe.Config {
	return observe.Config{
		PID: pid, Interval: 200 * time.Millisecond,
		OnLimit: func(reason error) { c.add("limit: " + reason.Error()) },
		OnBegin: func() error { c.add("begin"); return nil },
		OnEvent: func(e *events.Event) { c.add("event"); c.events++ },
		OnWindow: func(w *observe.Window) error {
			c.add("window")
			c.intervals = append(c.intervals, w)
			return nil
		},
		OnProgress: func(_ time.Duration, n uint64) { c.add("progress"); c.progress = n },
	}
}

// TestCallbacks: the window begins before the first event; the intervals join and cover the whole;
// a context that ends is no error.
func TestCallbacks(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "pingpong")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var c calls
	cfg := c.config(p.PID)
	onWindow := cfg.OnWindow
	cfg.OnWindow = func(w *observe.Window) error {
		if len(c.intervals) == 2 {
			cancel()
		}
		return onWindow(w)
	}
	whole, err := observe.Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.order[:2], " "); got != "begin event" && got != "begin progress" {
		t.Errorf("the first calls are %q", c.order)
	}
	if len(c.intervals) < 3 || c.events == 0 || c.progress > c.events {
		t.Fatalf("%d intervals, %d events, %d reported", len(c.intervals), c.events, c.progress)
	}
	var switches uint64
	last := whole.Result.Start
	for i, w := range c.intervals {
		if !w.Result.Interval || w.Result.Start != last {
			t.Errorf("interval %d: %v, start %d, the one before ended at %d",
				i, w.Result.Interval, w.Result.Start, last)
		}
		last = w.Result.End
		switches += w.Result.Counts.Switches
	}
	if whole.Result.Interval || last != whole.Result.End || switches != whole.Result.Counts.Switches {
		t.Errorf("the intervals end at %d with %d switches, the whole at %d with %d",
			last, switches, whole.Result.End, whole.Result.Counts.Switches)
	}
	checkFacts(t, whole, p.PID)
}

// checkFacts checks what a window has beside its Result.
func checkFacts(t *testing.T, w *observe.Window, pid int) {
	t.Helper()
	if g := w.Target; g.PID != pid || g.Info == nil || g.Exe == "" || g.Ended {
		t.Errorf("target %+v", g)
	}
	if w.Host.Kernel == "" || w.End.IsZero() {
		t.Errorf("host %+v, end %v", w.Host, w.End)
	}
	o := w.Overhead
	if o.CPUSeconds <= 0 || o.Elapsed <= 0 || o.RSSAnon == nil || o.Hooks["sched_switch"] == "" || o.Aggregated {
		t.Errorf("overhead %+v", o)
	}
	for i := range w.Result.Threads {
		if th := &w.Result.Threads[i]; th.ExitedAt == 0 && w.Schedules[th.TID].Policy == nil {
			t.Errorf("thread %d has no schedule", th.TID)
		}
	}
}

// TestCallbackErrors: an error of OnBegin or OnWindow ends Run with it, and leaves nothing in the
// kernel.
func TestCallbackErrors(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "pingpong")
	full := errors.New("the disk is full")
	for name, cfg := range map[string]observe.Config{
		"OnBegin":  {OnBegin: func() error { return full }},
		"OnWindow": {Interval: observe.MinInterval, OnWindow: func(*observe.Window) error { return full }},
	} {
		cfg.PID = p.PID
		if w, err := observe.Run(t.Context(), cfg); w != nil || !errors.Is(err, full) {
			t.Errorf("%s: %v, %v", name, w, err)
		}
	}
}

// TestOptionErrors: an option that this target or machine does not allow is named.
func TestOptionErrors(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong")
	cfg := observe.Config{PID: p.PID, Sites: true, Offsets: "/proc/self/maps"} // not a table of offsets
	_, err := observe.Run(t.Context(), cfg)
	var option *observe.OptionError
	if !errors.As(err, &option) || option.Option != "offsets" {
		t.Errorf("%v", err)
	}
}

// TestTargetEndIsReported: the observation ends with its target, and its window reports that.
func TestTargetEndIsReported(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "churn")
	var ended []bool
	cfg := observe.Config{PID: p.PID, Interval: observe.MinInterval, OnWindow: func(w *observe.Window) error {
		if ended = append(ended, w.Target.Ended); len(ended) == 1 {
			p.Stop()
		}
		return nil
	}}
	w, err := observe.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if ended[0] || !w.Target.Ended || w.Result.Counts.Threads != 0 {
		t.Errorf("ended in the first interval %v, at last %v; %d threads live",
			ended[0], w.Target.Ended, w.Result.Counts.Threads)
	}
}

// now is CLOCK_MONOTONIC.
func now(t *testing.T) events.Time {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	return events.Time(ts.Nano())
}

// kill kills a process and waits until it has ended.
func kill(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestEndIsTheKernels: the window of a target that ends is over when the target is, however late that
// is noticed.
func TestEndIsTheKernels(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	const late = time.Second
	for _, cfg := range []observe.Config{{}, {Interval: observe.MinInterval}, {Aggregate: true}} {
		p := testenv.Workload(t, "pingpong")
		var killed, dead events.Time
		var last *observe.Window
		cfg.PID = p.PID
		cfg.OnProgress = func(elapsed time.Duration, _ uint64) {
			if killed != 0 || elapsed < 150*time.Millisecond {
				return
			}
			killed = now(t)
			kill(t, p.PID)
			dead = now(t)
			time.Sleep(late)
		}
		cfg.OnWindow = func(w *observe.Window) error { last = w; return nil }
		w, err := observe.Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		// A thread may wait for a CPU once more after the process has ended for others.
		if end := w.Result.End; end < killed || end.Sub(dead) > late/2 {
			t.Errorf("%+v: killed at %d, dead at %d, the window ends at %d", cfg, killed, dead, end)
		}
		if lag := time.Since(w.End); !w.Target.Ended || lag < late/2 {
			t.Errorf("ended %v, by the wall clock %v ago", w.Target.Ended, lag)
		}
		if last != nil && last.Result.End != w.Result.End {
			t.Errorf("the last interval ends at %d, the whole at %d", last.Result.End, w.Result.End)
		}
		if err := correlate.Validate(w.Result); err != nil {
			t.Error(err)
		}
	}
}

// TestEndedBefore: of a process that ends before its window begins there is no window.
func TestEndedBefore(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Log("no sleep in this guest: it has no program that is not Go's")
		return
	}
	pid := 0
	run := func(seconds string, cfg observe.Config) (*observe.Window, error) {
		cmd := exec.Command(sleep, seconds)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Wait() }()
		pid = cmd.Process.Pid
		cfg.PID = pid
		return observe.Run(t.Context(), cfg)
	}
	w, err := run("60", observe.Config{OnLimit: func(error) { kill(t, pid) }})
	if w != nil || !errors.Is(err, loader.ErrEnded) || !strings.Contains(err.Error(), "ended before observation began") {
		t.Errorf("killed before the attach: %v, %v", w, err)
	}
	// At whatever moment it ends, there is an error, or a window that has its end.
	for lifetime := time.Duration(0); lifetime <= 800*time.Millisecond; lifetime += 100 * time.Millisecond {
		w, err := run(fmt.Sprint(lifetime.Seconds()), observe.Config{})
		switch {
		case w == nil && errors.Is(err, loader.ErrEnded):
			t.Logf("%v: %v", lifetime, err)
		case err != nil:
			t.Errorf("%v: %v", lifetime, err)
		case w.Result.End <= w.Result.Start || !w.Target.Ended || w.Result.Counts.ThreadsKilled != 1:
			t.Errorf("%v: window [%d, %d), ended %v, %+v", lifetime, w.Result.Start, w.Result.End, w.Target.Ended,
				w.Result.Counts)
		}
	}
}

// TestExecBefore: a program that is executed between the read of the program and the attach is the
// one that is described.
func TestExecBefore(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Log("no sh in this guest: it has no program that is not Go's")
		return
	}
	program := testenv.WorkloadProgram(t)
	cmd := exec.Command(shell, "-c", "read line; exec "+program+" idle")
	stdin, _ := testenv.StartPiped(t, cmd)
	limits := 0
	w, err := observe.Run(t.Context(), observe.Config{PID: cmd.Process.Pid, Duration: 200 * time.Millisecond,
		OnLimit: func(error) {
			if limits++; limits > 1 {
				return
			}
			if _, err := io.WriteString(stdin, "go\n"); err != nil {
				t.Fatal(err)
			}
			for exe := ""; filepath.Base(exe) != filepath.Base(program); time.Sleep(time.Millisecond) {
				exe, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)) // "" while it is replaced
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	if w.Target.Info == nil || w.Target.Exe != filepath.Base(program) || limits != 2 {
		t.Errorf("%+v, %d reasons; %q", w.Target, limits, w.Warnings)
	}
}

// TestTinyRing: with a ring that is far too small, the losses are counted, and every cost that they
// can change has a warning.
func TestTinyRing(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong", "-pairs", "4")
	w, err := observe.Run(t.Context(), observe.Config{PID: p.PID, Duration: time.Second, RingBytes: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if w.Result.Loss.ByKind["switch"] == 0 {
		t.Fatalf("loss %+v", w.Result.Loss)
	}
	for _, c := range w.Result.Costs {
		if c.Phase == "exit" && !strings.Contains(fmt.Sprint(c.Warnings), "switch records lost") {
			t.Errorf("%s %s has no warning: %q", c.ID, c.Phase, c.Warnings)
		}
	}
	if !strings.Contains(fmt.Sprint(w.Warnings), "--ring-size") {
		t.Errorf("no warning of the losses: %q", w.Warnings)
	}
}

// TestMaxRateIsReported: switches beyond the limit count as lost, and a warning has the limit.
func TestMaxRateIsReported(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong")
	w, err := observe.Run(t.Context(), observe.Config{PID: p.PID, Duration: time.Second, MaxRate: 100})
	if err != nil {
		t.Fatal(err)
	}
	if loss := w.Result.Loss; loss.ByKind["switch"] == 0 || loss.Total() != loss.ByKind["switch"] {
		t.Errorf("loss %+v", loss)
	}
	all := fmt.Sprint(w.Warnings)
	if !strings.Contains(all, "beyond --max-rate 100") || strings.Contains(all, "--ring-size") {
		t.Errorf("warnings: %s", all)
	}
}
