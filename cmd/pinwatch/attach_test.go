package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestNoSuchProcess(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	wrong(t, exitError, []string{"no such process", pid}, "attach", "-p", pid, "-d", "1s")
	wrong(t, exitError, []string{"kernel thread"}, "attach", "-p", "2", "-d", "1s")
	wrong(t, exitError, []string{"kernel thread"}, "threads", "-p", "2")
}

// TestNoPrivileges: the error names the missing capabilities.
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
	if text := string(out); strings.Count(text, "\n") != 1 || !hasAll(text, []string{"CAP_BPF", "CAP_PERFMON"}) {
		t.Errorf("want one line with both capabilities: %q", text)
	}
}

// TestFewerCapabilities: a binary with some file capabilities names the one that it lacks. It may not
// even open its own /proc/self/mem.
func TestFewerCapabilities(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pinwatch")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		t.Fatal(err)
	}
	const version2, effective = 0x02000000, 1 // struct vfs_cap_data in include/uapi/linux/capability.h
	caps := []uint32{version2 | effective, 0, 0, 1<<(unix.CAP_BPF-32) | 1<<(unix.CAP_PERFMON-32), 0}
	var xattr []byte
	for _, word := range caps {
		xattr = binary.LittleEndian.AppendUint32(xattr, word)
	}
	if err := unix.Setxattr(file, "security.capability", xattr, 0); err != nil {
		t.Log("files here can't have capabilities:", err)
		return
	}
	exe, err := os.Open(file) // the directory is closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd := exec.Command("/proc/self/fd/3", "attach", "-d", "1", strconv.Itoa(os.Getpid()))
	cmd.ExtraFiles, cmd.SysProcAttr = []*os.File{exe}, nobody
	cmd.Env = append(os.Environ(), asPinwatch+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "needs CAP_DAC_READ_SEARCH") ||
		strings.Contains(string(out), "/proc/self/mem") {
		t.Errorf("%v: %s", err, out)
	}
}

// startSleep starts a program that isn't Go and does nothing until the test ends; false where the
// machine has none.
func startSleep(t *testing.T) (pid int, ok bool) {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Log("no sleep in this guest: a shell-less machine has no foreign program to offer")
		return 0, false
	}
	cmd := exec.Command(sleep, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid, true
}

// TestNotGo: a program that isn't Go is observed from the kernel side.
func TestNotGo(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	pid, ok := startSleep(t)
	if !ok {
		return
	}
	code, stdout, stderr := pinwatch(t, "attach", "-p", strconv.Itoa(pid), "-d", "200ms", "-o", "json")
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
	args := []string{"pinwatch", "attach", "-p", strconv.Itoa(p.PID), "-i", "200ms", "-o", "json"}
	code := run(t.Context(), args, strings.NewReader(""), &out, errs)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.text)
	}
	r := parse(t, out.String())
	if r.Target.Ended == nil || r.Counts.Threads != 0 {
		t.Errorf("ended %v, %d threads alive", r.Target.Ended, r.Counts.Threads)
	}
}
