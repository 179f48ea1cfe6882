package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// asAccount makes the test binary a program that pins goroutines and prints an account of its threads.
const asAccount = "threads-account"

const accountExit = 5

type account struct {
	Live  []int `json:"live"`  // threads at its end
	Ended []int `json:"ended"` // those of goroutines that ended while locked
}

// printAccount is that program.
func printAccount() {
	const goroutines = 4
	var a account
	var ended sync.WaitGroup
	tids := make(chan int, goroutines)
	hold := make(chan struct{})
	for range goroutines {
		go func() {
			runtime.LockOSThread()
			tids <- unix.Gettid()
			<-hold
		}()
		ended.Go(func() {
			runtime.LockOSThread()
			if tid := unix.Gettid(); tid != unix.Getpid() { // the main thread does not end
				tids <- tid
			} else {
				tids <- -tid
				runtime.UnlockOSThread()
			}
		})
	}
	var seen []int
	for range 2 * goroutines {
		seen = append(seen, <-tids)
	}
	ended.Wait()
	alive := func(tid int) bool {
		_, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid))
		return err == nil
	}
	isHeld := func() (n int) {
		for _, tid := range seen {
			if tid > 0 && alive(tid) {
				n++
			}
		}
		return n
	}
	for isHeld() > goroutines {
		time.Sleep(time.Millisecond)
	}
	for _, tid := range seen {
		if tid > 0 && !alive(tid) {
			a.Ended = append(a.Ended, tid)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		a.Live = append(a.Live, tid)
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		panic(err)
	}
	os.Exit(accountExit)
}

// program is the test binary's path: what /proc/self/exe is for another process.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	if exited == nil {
		return 0
	}
	return exited.ExitCode()
}

// A report has every thread from the first one on, as the program's own account does. Standard output
// and the exit code are the program's.
func TestRun(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	out := filepath.Join(t.TempDir(), "report.json")
	cmd := process("run", "--out", out, "--", program(t), asAccount)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if code := exitCode(t, cmd.Run()); code != accountExit {
		t.Fatalf("exit code %d, want the program's, %d: %s", code, accountExit, &stderr)
	}
	var a account
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		t.Fatalf("%q: %v", &stdout, err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, string(text))
	var observed []int
	for _, th := range r.Threads {
		observed = append(observed, int(th.TID))
	}
	for _, tid := range slices.Concat(a.Live, a.Ended) {
		if !slices.Contains(observed, tid) {
			t.Errorf("thread %d of the program's account is not in the report", tid)
		}
	}
	if created := int(r.Counts.ThreadsCreated); created+1 != len(observed) {
		t.Errorf("%d threads created and the first, %d in the report", created, len(observed))
	}
	if n := r.Counts.ThreadsExitedLocked; n == nil || int(*n) != len(a.Ended) {
		t.Errorf("threads ended locked: %v, want %d", n, len(a.Ended))
	}
	if p := r.Target.GOMAXPROCS; p != nil && *p != runtime.GOMAXPROCS(0) { // nil: it ended before it was read
		t.Errorf("GOMAXPROCS %d, want %d", *p, runtime.GOMAXPROCS(0))
	}
	if slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "traced") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestRunMistakes(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	wrong(t, exitUsage, []string{"-- is missing", "true"}, "run", "true")
	wrong(t, exitUsage, []string{"command is missing"}, "run")
	wrong(t, exitUsage, []string{"command is missing"}, "run", "--")
	wrong(t, exitUsage, []string{"only flags", "true"}, "run", "true", "--", "true")
	wrong(t, exitUsage, []string{"no-such-user", "--user"}, "run", "--user", "no-such-user", "--", "true")
	wrong(t, exitNotFound, []string{"no-such-command", "not found"}, "run", "--", "no-such-command")
	wrong(t, exitNotExecutable, []string{plain, "not executable"}, "run", "--", plain)
}

// A command whose observation fails is not run.
func TestRunNotBegun(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	dir := t.TempDir()
	mark := filepath.Join(dir, "began")
	wrong(t, exitRunFailed, []string{"--ready-file", "the command was not run"}, "run", "-q", "--ready-file",
		dir+"/none/x",
		"--", "touch", mark)
	if _, err := os.Stat(mark); err == nil {
		t.Error("it was run")
	}
}

// A signal to pinwatch reaches the command, and the report is written at its end.
func TestRunSignal(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	cmd := process("run", "--", "sh", "-c", `trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done`)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_, stdout := testenv.StartPiped(t, cmd)
	if line, err := stdout.ReadString('\n'); err != nil {
		t.Errorf("%q: %v: %s", line, err, &stderr)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if code := exitCode(t, cmd.Wait()); code != 9 {
		t.Errorf("exit code %d, want the command's, 9", code)
	}
	text := stderr.String()
	if !strings.Contains(text, "not a Go program") || !strings.Contains(text, "0 now · 0 created") ||
		strings.Contains(text, "stopped or frozen") {
		t.Errorf("standard error has no report of a program that is not Go's:\n%s", text)
	}
}

// Ctrl-C reaches the command once: by the terminal, not by pinwatch too.
func TestRunTerminal(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	ours, its := terminalPair(t)
	cmd := process("run", "-q", "--out", filepath.Join(t.TempDir(), "report"), "--", "sh", "-c",
		`trap "echo caught" INT; echo ready; i=0; while [ $i -lt 10 ]; do sleep 0.1; i=$((i+1)); done; exit 4`)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = its, its, its
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	its.Close()
	var text strings.Builder
	lines := bufio.NewReader(ours)
	for {
		line, err := lines.ReadString('\n')
		text.WriteString(line)
		if strings.Contains(line, "ready") {
			if _, err := ours.WriteString("\x03"); err != nil {
				t.Error(err)
			}
		}
		if err != nil { // EIO: nobody has the other side any more
			break
		}
	}
	if code := exitCode(t, cmd.Wait()); code != 4 || strings.Count(text.String(), "caught") != 1 {
		t.Errorf("exit code %d, want 4; want one \"caught\" in %q", code, text.String())
	}
}

// A shell with job control gets the terminal back when the command stops by itself, and fg continues it.
func TestRunStopsItself(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	ours, its := terminalPair(t)
	cmd := exec.Command("sh", "-m", "-c", `"$@"; echo stopped $?; fg; echo ended $?`, "sh", program(t), "run", "-q",
		"--out", filepath.Join(t.TempDir(), "report"), "--", "sh", "-c", "kill -STOP $$; exit 3")
	cmd.Env = append(os.Environ(), asPinwatch+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = its, its, its
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	its.Close()
	stuck := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() }) // the session: the others are hung up on
	defer stuck.Stop()
	text, _ := io.ReadAll(ours) // EIO: nobody has the other side any more
	_ = cmd.Wait()
	for _, want := range []string{"stopped 148", "ended 3"} { // 128 and SIGTSTP
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
}

// terminalPair opens a pseudoterminal (pts(4)).
func terminalPair(t *testing.T) (ours, its *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	its, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, its
}

// A command that has begun goes on when pinwatch is killed.
func TestRunKilled(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	cmd := process("run", "--", "sh", "-c", "echo $$; read line; echo $line")
	stdin, lines := testenv.StartPiped(t, cmd)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, "goes on\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := lines.ReadString('\n'); line != "goes on\n" || err != nil {
		t.Errorf("it wrote %q, %v", line, err)
	}
}

// Under sudo a command runs as the user who called it, with its groups and HOME.
func TestRunUser(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--user", "nobody"}, nil} {
		cmd := process(slices.Concat([]string{"run", "-q", "--out", filepath.Join(t.TempDir(), "report")}, args,
			[]string{"--", "sh", "-c", "id -u; id -G; echo $HOME $USER"})...)
		cmd.Env = append(cmd.Env, "SUDO_UID="+nobody.Uid)
		out, err := cmd.Output()
		groups, errGroups := nobody.GroupIds()
		want := nobody.Uid + "\n" + strings.Join(groups, " ") + "\n" + nobody.HomeDir + " nobody\n"
		if err != nil || errGroups != nil || string(out) != want {
			t.Errorf("%q: %q, %v, %v; want %q", args, out, err, errGroups, want)
		}
	}
}

// A setuid program that another user runs has its owner's privileges, as without pinwatch.
func TestRunSetuid(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell, testenv.Root)
	id, err := exec.LookPath("id")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(id)
	dir := t.TempDir()
	file := filepath.Join(dir, "id")
	if err == nil {
		err = os.WriteFile(file, text, 0o755)
	}
	if err = errors.Join(err, os.Chmod(file, 0o755|os.ModeSetuid), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report")
	out, err := process("run", "-q", "--out", report, "--user", "nobody", "--", file, "-u").Output()
	if err != nil || string(out) != "0\n" {
		t.Errorf("the program's effective user is %q, %v; want the file's owner, 0", out, err)
	}
}

// A command finds the environment, limits, signals and identity that it has without pinwatch. That is
// what the kernel knows of a cat that shows it.
func TestRunUnchanged(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	const show = `ulimit -Sn 333; umask 027; trap "" HUP INT; exec "$@"`
	seen := func(args ...string) (lines []string) {
		t.Helper()
		args = append(args, "cat", "/proc/self/status", "/proc/self/limits", "/proc/self/environ", "/proc/self/cmdline")
		cmd := exec.Command("sh", append([]string{"-c", show, "sh"}, args...)...)
		cmd.Env = append(os.Environ(), asPinwatch+"=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		for line := range strings.FieldsFuncSeq(string(out), func(r rune) bool { return r == '\n' || r == 0 }) {
			name, _, _ := strings.Cut(line, ":")
			// They are of the process, or of this moment.
			if !slices.Contains(ofProcess, name) && !strings.HasPrefix(name, "Vm") && !strings.HasPrefix(name, "Rss") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	plain := seen()
	watched := seen(program(t), "run", "-q", "--out", filepath.Join(t.TempDir(), "report"), "--")
	if !slices.Equal(plain, watched) {
		t.Errorf("without pinwatch:\n%s\nunder pinwatch:\n%s", strings.Join(plain, "\n"), strings.Join(watched, "\n"))
	}
}

// ofProcess are lines of /proc/PID/status that differ between two runs of the same program.
var ofProcess = []string{"Pid", "Tgid", "PPid", "Ngid", "NStgid", "NSpid", "SigQ", "HugetlbPages",
	"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"}
