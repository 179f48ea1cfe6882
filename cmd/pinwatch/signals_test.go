package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// TestInterrupt: Ctrl-C ends the observation, and the report is printed.
func TestInterrupt(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong")
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	args := []string{"pinwatch", "attach", "-p", strconv.Itoa(p.PID), "-o", "json"}
	code := run(ctx, args, strings.NewReader(""), &out, &errs)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	parse(t, out.String())
}

// started runs the program as a process and returns when it observes: its first interval is
// printed.
func started(t *testing.T, pid int, args ...string) (*exec.Cmd, io.ReadCloser, *bytes.Buffer) {
	t.Helper()
	cmd := process(append([]string{"attach", "-p", strconv.Itoa(pid), "-i", "100ms", "-o", "ndjson"}, args...)...)
	errs := &bytes.Buffer{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatalf("no output: %v, %s", err, errs)
	}
	return cmd, out, errs
}

// TestKilled: SIGKILL leaves nothing in the kernel.
func TestKilled(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "pingpong")
	cmd, _, _ := started(t, p.PID)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// TestClosedStdout: the reader of the report closes its end, as head does. The program ends silently.
func TestClosedStdout(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "pingpong")
	cmd, out, errs := started(t, p.PID)
	out.Close()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitError || errs.Len() > 0 {
		t.Errorf("%v: %s", err, errs)
	}
}

// TestInterruptedTwice: a second interrupt ends the program even when nothing reads the report.
// Here the pipe is full.
func TestInterruptedTwice(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "pingpong")
	cmd, out, errs := started(t, p.PID)
	waitUntilFull(t, out.(*os.File))
	for range 2 {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * oneInterrupt) // sooner, they count as one
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitError || !strings.Contains(errs.String(), "interrupted twice") {
		t.Errorf("%v: %s", err, errs)
	}
}

// waitUntilFull waits until a pipe has taken something and then, for a second, nothing more.
func waitUntilFull(t *testing.T, pipe *os.File) {
	t.Helper()
	held, since, deadline := -1, time.Now(), time.Now().Add(time.Minute)
	for ; time.Since(since) < time.Second || held <= 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the pipe still moves, with %d bytes", held)
		}
		n, err := unix.IoctlGetInt(int(pipe.Fd()), unix.TIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		if n != held {
			held, since = n, time.Now()
		}
	}
}
