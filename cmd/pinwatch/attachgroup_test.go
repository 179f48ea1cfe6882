package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// parseGroup reads what -o json writes of several processes.
func parseGroup(t *testing.T, text string) (reports []report.Report) {
	t.Helper()
	if err := schematest.CheckGroup([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var group struct{ Reports []report.Report }
	if err := json.Unmarshal([]byte(text), &group); err != nil {
		t.Fatal(err)
	}
	return group.Reports
}

// A list with a Go program, another program, the parent, a PID twice, a thread, and one that is gone.
func TestAttachList(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	p := testenv.Workload(t, "pingpong")
	sleeping, _ := startSleep(t)
	thread := p.Threads()[1]
	list := fmt.Sprintf("%d,%d,%d,%d,%d,%d", p.PID, sleeping, p.PID, os.Getppid(), thread, 1<<30)
	code, stdout, stderr := pinwatch(t, "attach", "-p", list, "-d", "200ms", "-o", "json")
	if code != exitError {
		t.Errorf("exit code %d, want %d, as two could not be observed", code, exitError)
	}
	want := map[int]bool{p.PID: true, sleeping: true, os.Getppid(): true}
	for _, r := range parseGroup(t, stdout) {
		if !want[r.Target.PID] {
			t.Errorf("a report of %d", r.Target.PID)
		}
		delete(want, r.Target.PID)
	}
	if len(want) > 0 {
		t.Errorf("no reports of %v", want)
	}
	for _, line := range []string{
		fmt.Sprintf("pinwatch: -p: %d is in the list twice; it is observed once\n", p.PID),
		fmt.Sprintf("pinwatch: process %d is a thread of process %d: name that\n", thread, p.PID),
		fmt.Sprintf("pinwatch: process %d: no such process\n", 1<<30),
	} {
		if strings.Count(stderr, line) != 1 {
			t.Errorf("want %q once in %q", line, stderr)
		}
	}
}

// An observation of nothing does not look like success.
func TestAttachNothing(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	code, stdout, stderr := pinwatch(t, "attach", "--name", "^no-such-program$", "-d", "200ms")
	if code != exitError || stdout != "" || strings.Count(stderr, "\n") != 2 ||
		!strings.Contains(stderr, "pinwatch: no such Go program runs now: waiting for one whose name matches "+
			"^no-such-program$\n") ||
		!strings.Contains(stderr, "no Go program ran whose name matches ^no-such-program$\n") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestAttachSeveralRefused(t *testing.T) {
	self, missing := strconv.Itoa(os.Getpid()), filepath.Join(t.TempDir(), "none")
	wrong(t, exitUsage, []string{self, "pinwatch itself"}, "attach", "-p", "1,"+self)
	wrong(t, exitUsage, []string{self, "pinwatch itself"}, "attach", self)
	wrong(t, exitError, []string{"-p", "none", "1073741824"}, "attach", "-p", "1073741824,1073741823")
	wrong(t, exitUsage, []string{"--aggregate"}, "attach", "-p", "1,2", "--aggregate")
	wrong(t, exitUsage, []string{"--go-version", "one program"}, "attach", "--all-go", "--go-version", "go1.20")
	wrong(t, exitUsage, []string{"-i", "ndjson"}, "attach", "-p", "1,2", "-i", "1")
	wrong(t, exitError, []string{"--offsets", missing}, "attach", "-p", "1,2", "--offsets", missing)
}

// Of programs that start later, those with the name are observed whole, however short they live, and
// others are not.
func TestAttachNamed(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	dir := t.TempDir()
	content, err := os.ReadFile(testenv.TreeProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	leaf := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	meant, other, ready := leaf("leaf-meant"), leaf("leaf-other"), filepath.Join(dir, "ready")
	exited := map[int]uint64{}
	started := make(chan struct{})
	go func() {
		defer close(started)
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(ready); err == nil {
				break
			}
		}
		for range 8 {
			if out, err := exec.Command(other, "leaf", "-threads", "1").Output(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			var a struct {
				PID    int
				Exited uint64
			}
			out, err := exec.Command(meant, "leaf", "-threads", "2", "-live", "20ms").Output()
			if err == nil {
				err = json.Unmarshal(out, &a)
			}
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			exited[a.PID] = a.Exited
		}
	}()
	_, stdout, stderr := pinwatch(t, "attach", "--name", "^leaf-meant$", "-d", "4s", "-o", "json", "--ready-file", ready)
	<-started
	for _, r := range parseGroup(t, stdout) {
		n, is := exited[r.Target.PID]
		if !is {
			t.Errorf("a report of process %d, %v", r.Target.PID, *r.Target.Exe)
		} else if r.Counts.ThreadsExited != n || r.Loss.Total > 0 || r.Target.Ended == nil {
			t.Errorf("process %d: %d threads ended, its account has %d; lost %d", r.Target.PID, r.Counts.ThreadsExited, n,
				r.Loss.Total)
		}
		delete(exited, r.Target.PID)
	}
	if len(exited) > 0 {
		t.Errorf("no reports of %v: %s", exited, stderr)
	}
}

// What a program that is chosen by its name starts is followed, whatever the program is.
func TestAttachNamedFollows(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	dir := t.TempDir()
	shell, err := os.ReadFile("/bin/sh")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "pw-shell"), shell, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	tree, ready := testenv.TreeProgram(t), filepath.Join(dir, "ready")
	began := make(chan error, 1)
	go func() {
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(ready); err == nil {
				break
			}
		}
		script := `sleep 0.5; "$0" leaf -threads 1; /bin/sh -c "exec \"$0\" leaf -threads 1"`
		began <- exec.Command(filepath.Join(dir, "pw-shell"), "-c", script, tree).Run()
	}()
	_, stdout, stderr := pinwatch(t, "attach", "--name", "^pw-shell$", "--follow", "-d", "4s", "-o", "json",
		"--ready-file", ready)
	if err := <-began; err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, r := range parseGroup(t, stdout) {
		names = append(names, *r.Target.Exe)
	}
	if !slices.Equal(names, []string{"tree", "tree"}) {
		t.Errorf("reports of %q, want those of both processes that the shell started: %s", names, stderr)
	}
}
