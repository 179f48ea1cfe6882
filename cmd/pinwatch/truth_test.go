package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// attached is pinwatch observing a process in this one.
type attached struct {
	t         *testing.T
	cancel    context.CancelFunc
	code      chan int
	out, errs bytes.Buffer // not to be read before code has been
}

// attachTo starts an observation and returns once its window has begun.
func attachTo(t *testing.T, pid int, args ...string) *attached {
	t.Helper()
	return begin(t, func(ctx context.Context, ready string, out, errs io.Writer) int {
		args := append([]string{"pinwatch", "attach", "-p", strconv.Itoa(pid), "-o", "json", "--ready-file", ready}, args...)
		return run(ctx, args, strings.NewReader(""), out, errs)
	})
}

// attachTee is attachTo and shows tee what the correlator sees, until the observation has ended.
func attachTee(t *testing.T, pid int, tee func(*events.Event)) *attached {
	t.Helper()
	return begin(t, func(ctx context.Context, ready string, out, errs io.Writer) int {
		o := options{format: "json", readyFile: ready, observe: observe.Config{PID: pid, OnEvent: tee}}
		if err := attach(ctx, streams{strings.NewReader(""), out, errs}, o); err != nil {
			fmt.Fprintln(errs, err)
			return exitError
		}
		return exitOK
	})
}

func begin(t *testing.T, observe func(ctx context.Context, ready string, out, errs io.Writer) int) *attached {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	ctx, cancel := context.WithCancel(t.Context())
	a := &attached{t: t, cancel: cancel, code: make(chan int, 1)}
	t.Cleanup(cancel)
	go func() { a.code <- observe(ctx, ready, &a.out, &a.errs) }()
	for {
		if _, err := os.Stat(ready); err == nil {
			return a
		}
		select {
		case code := <-a.code:
			t.Fatalf("exit code %d: %s", code, &a.errs)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// end ends the observation, if the target's end has not, and returns its report.
func (a *attached) end() report.Report {
	a.t.Helper()
	return parse(a.t, a.text())
}

// text ends the observation and returns what it printed.
func (a *attached) text() string {
	a.t.Helper()
	a.cancel()
	return a.printed()
}

// report waits for the end of the observation.
func (a *attached) report() report.Report {
	a.t.Helper()
	return parse(a.t, a.printed())
}

func (a *attached) printed() string {
	a.t.Helper()
	if code := <-a.code; code != exitOK {
		a.t.Fatalf("exit code %d: %s", code, &a.errs)
	}
	return a.out.String()
}

// The built-in workload is observed without a loss of any kind, and no number contradicts another. Only kernels from 7 on (seen on
// 7.3) now and then skip a program on a system call's tracepoint because another task was preempted in one on that CPU; that is
// the kernel's doing, and said in the report.
func TestZeroLossOnBuiltin(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	code, stdout, stderr := pinwatch(t, "demo", "-d", "6s", "-o", "json") // in an emulator it ends some 30 threads a second
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	r := parse(t, stdout)
	if l := r.Loss; l.Total != 0 || len(l.ByKind) != 0 || l.Late != 0 {
		t.Errorf("lost %+v", l)
	}
	for _, p := range r.Observer.Programs {
		var allowed uint64
		if *r.Host.Kernel >= "7" && strings.HasPrefix(p.Name, "sys_") {
			allowed = 1 + r.Counts.ThreadsCreated/20 // a hundredth of them, and some in an emulator
		}
		if p.Missed > allowed {
			t.Errorf("the kernel skipped %d runs of %s", p.Missed, p.Name)
		}
	}
	if c := r.Counts; c.Switches < 1000 || c.ThreadsExited < 100 {
		t.Errorf("the workload hardly worked: %+v", c)
	}
}
