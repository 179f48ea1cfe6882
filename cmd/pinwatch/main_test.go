package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// asPinwatch makes the test binary be pinwatch itself, for tests that need a process of its own.
const asPinwatch = "PINWATCH_TEST_AS_PINWATCH"

func TestMain(m *testing.M) {
	if os.Getenv(asExecutor) != "" {
		executeAnother()
	}
	if os.Getenv(asForker) != "" {
		forkOnce()
	}
	if len(os.Args) > 1 && os.Args[1] == workloadCommand || os.Getenv(asPinwatch) != "" {
		main()
	}
	os.Exit(testenv.Main(m))
}

// asExecutor makes the test binary wait for a byte and then, on a thread that does not lead the process, execute the workload
// "pingpong".
const asExecutor = "PINWATCH_TEST_AS_EXECUTOR"

func executeAnother() {
	runtime.LockOSThread() // main's thread, which leads the process
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
			failed <- err
		}
		os.Unsetenv(asExecutor)
		failed <- syscall.Exec("/proc/self/exe", []string{"pinwatch", workloadCommand, "pingpong"}, os.Environ())
	}()
	panic(<-failed)
}

// pinwatch runs the program in this process.
func pinwatch(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), append([]string{"pinwatch"}, args...), strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// process makes a command of the program in a process of its own.
func process(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asPinwatch+"=1")
	return cmd
}

// parse reads a report, which must follow the schema and not contradict itself.
func parse(t *testing.T, text string) report.Report {
	t.Helper()
	if err := schematest.Check([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Warnings {
		if strings.Contains(w, "contradict") {
			t.Error(w)
		}
	}
	return r
}

// wrong checks that a mistake gets one line on stderr that has all the given words, and nothing on stdout.
func wrong(t *testing.T, wantCode int, words []string, args ...string) {
	t.Helper()
	code, stdout, stderr := pinwatch(t, args...)
	if code != wantCode {
		t.Errorf("%q: exit code %d, want %d", args, code, wantCode)
	}
	if stdout != "" {
		t.Errorf("%q: printed %q", args, stdout)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "pinwatch: ") {
		t.Errorf("%q: want one line, got %q", args, stderr)
	}
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			t.Errorf("%q: %q does not say %q", args, stderr, word)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct{ args, words string }{
		{"attach", "-p PID"},
		{"attach -p", "needs an argument|-p"},
		{"attach -p x", `"x"|number`},
		{"attach -p 0", `"0"`},
		{"attach -p -5", `-5`},
		{"attach -p 99999999999", `"99999999999"`},
		{"attach -p 1 -d 0", `-d 0|more than zero`},
		{"attach -p 1 -d 0s", `-d 0s|more than zero`},
		{"attach -p 1 -d -3s", `-3s|more than zero`},
		{"attach -p 1 -d soon", `"soon"|for instance 10s`},
		{"attach -p 1 -d 10", `"10"|unit`},
		{"attach -p 1 -d 999999h", `ten years`},
		{"attach -p 1 -i 1ms", `too short`},
		{"attach -p 1 -i never", `"never"`},
		{"attach -p 1 -o yaml", `yaml|text, json or ndjson`},
		{"attach -p 1 --ring-size many", `"many"`},
		{"attach -p 1 --ring-size 1", `4K`},
		{"attach -p 1 --ring-size 99G", `1G`},
		{"attach -p 1 --max-rate fast", `"fast"`},
		{"attach -p 1 --max-rate 7", `100`},
		{"attach -p 1 --no-such-flag", `no-such-flag`},
		{"attach -p 1 2", `no arguments`},
		{"demo -d x", `"x"`},
		{"atach", "atach"},
		{"doctor -o xml", "xml"},
		{"completion fish", "bash or zsh"},
		{"vet -o xml", `xml|text or json`},
		{"vet --skip nothing", `"nothing"|comment`},
		{"vet ./... --fix", `--fix|before the packages`},
	} {
		wrong(t, exitUsage, strings.Split(c.words, "|"), strings.Fields(c.args)...)
	}
}

func TestHelpNamesEverything(t *testing.T) {
	code, stdout, _ := pinwatch(t, "--help")
	for _, word := range []string{"attach", "threads", "demo", "vet", "doctor", "version", "completion", "Exit codes", "sudo pinwatch attach -p"} {
		if code != exitOK || !strings.Contains(stdout, word) {
			t.Errorf("exit code %d, help without %q", code, word)
		}
	}
	if code, stdout, _ := pinwatch(t, "version"); code != exitOK || !strings.HasPrefix(stdout, "pinwatch ") {
		t.Errorf("version: %d, %q", code, stdout)
	}
}

func TestNoSuchProcess(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	wrong(t, exitError, []string{"no such process", strconv.Itoa(cmd.Process.Pid)}, "attach", "-p", strconv.Itoa(cmd.Process.Pid), "-d", "1s")
	wrong(t, exitError, []string{"kernel thread"}, "attach", "-p", "2", "-d", "1s")
}

func TestUnwritableOut(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	dir := filepath.Join(t.TempDir(), "missing")
	wrong(t, exitError, []string{"--out", dir}, "attach", "-p", strconv.Itoa(os.Getpid()), "-d", "1s", "--out", filepath.Join(dir, "r.json"))
	if code, _, stderr := pinwatch(t, "demo", "-d", "100ms", "--out", "/dev/full"); code != exitError || !strings.Contains(stderr, "no space left") {
		t.Errorf("a full disk: exit code %d, %q", code, stderr)
	}
}

// An existing report survives an observation that fails before it has one of its own.
func TestOutIsKeptUntilReplaced(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	file := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(file, bytes.Repeat([]byte("old "), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	pinwatch(t, "attach", "-p", "2", "--out", file)
	if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, []byte("old old")) {
		t.Errorf("after a failed attach: %.20q, %v", b, err)
	}
	if code, _, stderr := pinwatch(t, "demo", "-d", "300ms", "-o", "json", "--out", file); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parse(t, string(b))
}

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
		"created": r.Counts.ThreadsCreated, "exited": r.Counts.ThreadsExited, "sent": *r.Counts.SigurgSent, "delivered": r.Counts.SigurgDelivered,
		"switches": r.Counts.Switches,
	} {
		if n == 0 {
			t.Errorf("%s: none seen", name)
		}
	}
	if r.Target.GoVersion == nil || r.Counts.SigurgNotInjected == nil {
		t.Errorf("the Go side was not read: %+v", r.Target)
	}
}

// Every interval is a window of its own; together they are the whole, without gaps.
func TestIntervals(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	code, stdout, stderr := pinwatch(t, "demo", "-d", "1500ms", "-i", "400ms", "-o", "ndjson")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var last int64
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) < 3 {
		t.Fatalf("%d intervals of 400 ms in 1.5 s", len(lines))
	}
	for i, line := range lines {
		r := parse(t, line)
		if i > 0 && r.Window.StartNS != last {
			t.Errorf("interval %d starts at %d, the one before ended at %d", i, r.Window.StartNS, last)
		}
		last = r.Window.EndNS
	}
}

func TestTextIntervals(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	code, stdout, stderr := pinwatch(t, "demo", "-d", "1s", "-i", "300ms")
	if code != exitOK || !strings.Contains(stdout, "P-8") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// A program that isn't Go is observed from the kernel side.
func TestNotGo(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Log("no sleep in this guest: a shell-less machine has no foreign program to offer")
		return
	}
	cmd := exec.Command(sleep, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	code, stdout, stderr := pinwatch(t, "attach", "-p", strconv.Itoa(cmd.Process.Pid), "-d", "200ms", "-o", "json")
	if code != exitOK || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "not a Go program") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if r := parse(t, stdout); r.Target.GoVersion != nil || r.Counts.Threads != 1 {
		t.Errorf("target %+v, %d threads", r.Target, r.Counts.Threads)
	}
}

// onFirstWrite calls a function at the first write.
type onFirstWrite struct {
	text []byte
	do   func()
}

func (w *onFirstWrite) Write(b []byte) (int, error) {
	if w.text == nil {
		w.do()
	}
	w.text = append(w.text, b...)
	return len(b), nil
}

func TestTargetEndsMidWindow(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "churn")
	var out bytes.Buffer
	errs := &onFirstWrite{do: func() { p.Stop() }} // at the first interval's line
	code := run(t.Context(), []string{"pinwatch", "attach", "-p", strconv.Itoa(p.PID), "-i", "200ms", "-o", "json"}, strings.NewReader(""), &out, errs)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.text)
	}
	r := parse(t, out.String())
	if r.Target.Ended == nil || r.Counts.Threads != 0 {
		t.Errorf("ended %v, %d threads alive", r.Target.Ended, r.Counts.Threads)
	}
}

// A process that executes another program goes on under its PID, whichever of its threads did it.
func TestExec(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	for _, mode := range []string{"", "--thread-entries=1"} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), asExecutor+"=1")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		var out bytes.Buffer
		errs := &onFirstWrite{do: func() { _, _ = stdin.Write([]byte("x")) }}
		args := strings.Fields("pinwatch attach -d 1500ms -i 300ms -o json -p " + strconv.Itoa(cmd.Process.Pid) + " " + mode)
		if code := run(t.Context(), args, strings.NewReader(""), &out, errs); code != exitOK {
			t.Fatalf("%s: exit code %d: %s", mode, code, errs.text)
		}
		r := parse(t, out.String())
		warnings := strings.Join(r.Warnings, "; ")
		if !strings.Contains(warnings, "executed another program") {
			t.Errorf("%s: warnings: %s", mode, warnings)
		}
		alive := 0
		for _, th := range r.Threads {
			if th.ExitNS != nil {
				continue
			}
			alive++
			if th.TID == int32(cmd.Process.Pid) && th.Switches == 0 {
				t.Errorf("%s: the thread that executes does nothing: %+v", mode, th)
			}
		}
		if alive < 2 || uint64(alive) != r.Counts.Threads {
			t.Errorf("%s: %d threads live, %d counted", mode, alive, r.Counts.Threads)
		}
	}
}

// Ctrl-C ends the observation and the report is printed.
func TestInterrupt(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong")
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	code := run(ctx, []string{"pinwatch", "attach", "-p", strconv.Itoa(p.PID), "-o", "json"}, strings.NewReader(""), &out, &errs)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	parse(t, out.String())
}

// started runs the program as a process and returns once it observes: its first interval is printed.
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

// SIGKILL leaves nothing in the kernel.
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

// Nobody reads the report any more.
func TestClosedStdout(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p := testenv.Workload(t, "pingpong")
	cmd, out, errs := started(t, p.PID)
	out.Close()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitError || !strings.Contains(errs.String(), "reader of the report is gone") {
		t.Errorf("%v: %s", err, errs)
	}
}

// Whoever interrupts twice gets out, even when nobody takes the report: here its pipe is full.
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
		time.Sleep(2 * sameWish) // else they count as one
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
	held, since := -1, time.Now()
	for deadline := time.Now().Add(time.Minute); time.Since(since) < time.Second || held <= 0; time.Sleep(20 * time.Millisecond) {
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

// Without privileges, the error names the missing capabilities.
func TestNoPrivileges(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	exe, err := os.Open("/proc/self/exe") // the test binary's directory may be closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	cmd := exec.Command("/proc/self/fd/3", "attach", "-p", strconv.Itoa(os.Getpid()), "-d", "1s")
	cmd.ExtraFiles = []*os.File{exe}
	cmd.Env = append(os.Environ(), asPinwatch+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitError {
		t.Fatalf("%v: %s", err, out)
	}
	if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, "CAP_BPF") || !strings.Contains(text, "CAP_PERFMON") {
		t.Errorf("want one line with both capabilities: %q", text)
	}
}

// A ring that is far too small: the report says what is missing, and every cost that could be touched says so too.
func TestTinyRing(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong", "-pairs", "4")
	code, stdout, stderr := pinwatch(t, "attach", "-p", strconv.Itoa(p.PID), "-d", "1s", "-o", "json", "--ring-size", "4K")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	r := parse(t, stdout)
	if r.Loss.Total == 0 || r.Loss.ByKind["switch"] == 0 {
		t.Fatalf("loss %+v", r.Loss)
	}
	var sum uint64
	for _, n := range r.Loss.ByKind {
		sum += n
	}
	if sum != r.Loss.Total {
		t.Errorf("losses by kind sum to %d, total %d", sum, r.Loss.Total)
	}
	for _, c := range r.Costs {
		if c.Phase == "exit" && !strings.Contains(fmt.Sprint(c.Warnings), "switch records lost") {
			t.Errorf("%s %s does not warn: %q", c.ID, c.Phase, c.Warnings)
		}
	}
}

// What goes beyond the rate asked for is counted, and the report says what that does to its numbers.
func TestMaxRate(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "pingpong")
	code, stdout, stderr := pinwatch(t, "attach", "-p", strconv.Itoa(p.PID), "-d", "1s", "-o", "json", "--max-rate", "100")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	r := parse(t, stdout)
	if r.Loss.ByKind["switch"] == 0 || r.Loss.Total != r.Loss.ByKind["switch"] {
		t.Errorf("loss %+v", r.Loss)
	}
	if all := strings.Join(r.Warnings, "; "); !strings.Contains(all, "beyond --max-rate 100") || strings.Contains(all, "--ring-size") {
		t.Errorf("warnings: %s", all)
	}
}

func TestDoctor(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	code, stdout, stderr := pinwatch(t, "doctor", "-o", "json")
	if code != exitOK {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	var doc struct{ Checks []doctorRow }
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil || len(doc.Checks) < 10 {
		t.Errorf("%d rows, %v", len(doc.Checks), err)
	}
}
