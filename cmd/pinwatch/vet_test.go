package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/vet"
)

const (
	goodSource = `package good

// Add adds.
func Add(a, b int) int { return a + b }
`
	badSource = `package bad

import "runtime"

func start(work func()) {
	go func() {
		runtime.LockOSThread() // errno
		work()
	}()
}

func stay(work func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	work()
}
`
	brokenSource = `package broken

func f() int { return "" }
`
)

// inModule makes the working directory a module with these packages, by directory.
func inModule(t *testing.T, packages map[string]string) {
	t.Helper()
	testenv.Require(t, testenv.GoCommand)
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "off")
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.org/m\n\ngo 1.21\n")
	for dir, text := range packages {
		write(filepath.Join(dir, dir+".go"), text)
	}
}

func TestVet(t *testing.T) {
	inModule(t, map[string]string{"good": goodSource, "bad": badSource})
	if code, stdout, stderr := pinwatch(t, "vet", "./good"); code != exitOK ||
		stdout != "1 package, 0 locks, 0 findings\n" || stderr != "" {
		t.Errorf("nothing to find: exit code %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, stderr := pinwatch(t, "vet", "./...")
	if code != exitContract || stderr != "" {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	for _, want := range []string{
		"bad/bad.go:7:3: unlock: ", "pinwatch explain unlock\n",
		"example.org/m/bad: comment: 1 lock without a comment that gives the reason, the first at bad/bad.go:13; ",
		"2 packages, 2 locks, 1 finding, 1 lock without a comment\n1 of them can be fixed: pinwatch vet --fix\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "bad/bad.go:13:2") {
		t.Errorf("a lock without a comment is listed:\n%s", stdout)
	}
	_, stdout, _ = pinwatch(t, "vet", "--comments", "./...")
	if !hasAll(stdout, []string{"bad/bad.go:13:2: comment: ", "pinwatch explain comment\n",
		"1 finding, 1 lock without a comment\n"}) {
		t.Errorf("--comments:\n%s", stdout)
	}
	if code, stdout, _ := pinwatch(t, "vet", "--skip", "comment,unlock", "./..."); code != exitOK ||
		stdout != "2 packages, 2 locks, 0 findings\n" {
		t.Errorf("all skipped: exit code %d, %q", code, stdout)
	}
	wrong(t, exitError, []string{"nothing/..."}, "vet", "./nothing/...")
}

func TestVetJSON(t *testing.T) {
	inModule(t, map[string]string{"good": goodSource, "bad": badSource})
	code, stdout, _ := pinwatch(t, "vet", "-o", "json", "./...")
	var got struct {
		Schema      string
		Diagnostics []struct {
			File, Check, Statement, Message string
			Line, Column                    int
			EndLine                         int `json:"end_line"`
			Fixable                         bool
		}
		Errors          []string
		Packages, Locks int
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if code != exitContract || got.Schema != "pinwatch.vet/v1" || len(got.Diagnostics) != 2 || got.Errors == nil ||
		got.Packages != 2 || got.Locks != 2 {
		t.Fatalf("exit code %d: %s", code, stdout)
	}
	d := got.Diagnostics[0]
	if d.File != "bad/bad.go" || d.Line != 7 || d.Column != 3 || d.EndLine != 7 ||
		d.Check != "unlock" || d.Statement != "C-2" || !d.Fixable {
		t.Errorf("%+v", d)
	}
	code, stdout, _ = pinwatch(t, "vet", "-o", "json", "./good")
	if code != exitOK || !strings.Contains(stdout, `"diagnostics": []`) {
		t.Errorf("nothing to find: exit code %d, %q", code, stdout)
	}
}

func TestVetFix(t *testing.T) {
	inModule(t, map[string]string{"bad": badSource})
	code, stdout, _ := pinwatch(t, "vet", "--fix", "--comments", "./...")
	if code != exitContract || !hasAll(stdout, []string{"bad/bad.go:14:2: comment: ",
		"0 findings, 1 lock without a comment, 1 fixed\n"}) {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	text, err := os.ReadFile("bad/bad.go")
	if err != nil {
		t.Fatal(err)
	}
	want := "\t\truntime.LockOSThread() // errno\n\t\tdefer runtime.UnlockOSThread()\n\t\twork()\n"
	if !strings.Contains(string(text), want) {
		t.Errorf("fixed:\n%s", text)
	}
}

// TestVetOtherSystem: a property of the thread on Linux belongs to the process on other systems.
func TestVetOtherSystem(t *testing.T) {
	const source = "package main\n\nimport \"syscall\"\n\nfunc main() { _ = syscall.Setpriority(0, 0, 5) }\n"
	inModule(t, map[string]string{"m": source})
	code, stdout, _ := pinwatch(t, "vet", "./...")
	if code != exitContract || !strings.Contains(stdout, "unlocked: syscall.Setpriority") {
		t.Errorf("Linux: exit code %d, %s", code, stdout)
	}
	t.Setenv("GOOS", "darwin")
	t.Setenv("CGO_ENABLED", "0")
	if code, stdout, stderr := pinwatch(t, "vet", "./..."); code != exitOK || !strings.HasSuffix(stdout, " 0 findings\n") {
		t.Errorf("macOS: exit code %d, %s%s", code, stdout, stderr)
	}
}

// TestVetCgo: cgo rewrites its files. Diagnostics refer to the source, and cgo's output is not
// fixed.
func TestVetCgo(t *testing.T) {
	testenv.Require(t, testenv.CCompiler)
	inModule(t, map[string]string{"c": "package c\n\n// static int one(void) { return 1; }\nimport \"C\"\n\n" +
		"import \"runtime\"\n\nfunc start() {\n\tgo func() {\n\t\truntime.LockOSThread()\n\t\t_ = C.one()\n\t}()\n}\n"})
	t.Setenv("CGO_ENABLED", "1")
	code, stdout, _ := pinwatch(t, "vet", "--fix", "./...")
	if code != exitContract || !strings.Contains(stdout, "c/c.go:10:3: unlock: ") || strings.Contains(stdout, "fix") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
}

// TestVetBroken: a package that can't be loaded does not hide the diagnostics of others.
func TestVetBroken(t *testing.T) {
	inModule(t, map[string]string{"bad": badSource, "broken": brokenSource})
	code, stdout, stderr := pinwatch(t, "vet", "--comments", "./...")
	if code != exitError || !strings.Contains(stdout, "bad/bad.go:13:2: comment: ") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if !strings.Contains(stdout, "1 package, 2 locks, 1 finding, 1 package not checked, 1 lock without a comment\n") {
		t.Errorf("the summary hides the broken package: %s", stdout)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "broken/broken.go:3:23: ") {
		t.Errorf("stderr: %q", stderr)
	}
}

func TestVetWithoutToolchain(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	wrong(t, exitError, []string{"no go command"}, "vet", "./...")
}

// TestVettool: the go command runs pinwatch once per package and caches its output.
func TestVettool(t *testing.T) {
	inModule(t, map[string]string{"good": goodSource, "bad": badSource})
	tool, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	goVet := func(args ...string) (string, error) {
		cmd := exec.Command("go", append([]string{"vet", "-vettool=" + tool}, args...)...)
		cmd.Env = append(os.Environ(), asPinwatch+"=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := goVet("./good"); err != nil {
		t.Errorf("nothing to find: %v: %s", err, out)
	}
	out, err := goVet("./...")
	if err == nil || !strings.Contains(out, "bad/bad.go:7:3: ") || !strings.Contains(out, "pinwatch explain comment") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := goVet("-lockosthread.skip=comment,unlock", "./..."); err != nil {
		t.Errorf("all skipped: %v: %s", err, out)
	}
}

// TestVetOrder: mistakes come before matters of style, whatever the order in the source. A package
// and its tests count once.
func TestVetOrder(t *testing.T) {
	const source = `package m

import "runtime"

func undeferred(work func()) {
	runtime.LockOSThread() // errno
	work()
	runtime.UnlockOSThread()
}

func twice() {
	runtime.LockOSThread() // errno
	runtime.LockOSThread() // errno
	defer runtime.UnlockOSThread()
	defer runtime.UnlockOSThread()
}
`
	inModule(t, map[string]string{"m": source})
	for name, text := range map[string]string{
		"m/m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestM(t *testing.T) {}\n",
		"m/x_test.go": "package m_test\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, stdout, _ := pinwatch(t, "vet", "./...")
	mistake, style := strings.Index(stdout, "m/m.go:13:2: nested: "), strings.Index(stdout, "m/m.go:6:2: defer: ")
	if mistake < 0 || style < mistake || !strings.HasSuffix(stdout, "1 package, 3 locks, 2 findings\n") {
		t.Errorf("%s", stdout)
	}
}

// TestVetCases: the functions that keep the state of their thread, or lose a child with it, are
// reported; what --fix does hides none of them.
func TestVetCases(t *testing.T) {
	const source = `package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

func kept() error {
	runtime.LockOSThread() // namespaces are per thread
	defer runtime.UnlockOSThread()
	return syscall.Unshare(syscall.CLONE_NEWNS)
}

func child() error {
	c := exec.Command("sleep", "10")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c.Run()
}

func main() {
	go kept()
	go child()
	go func() {
		runtime.LockOSThread() // errno
		<-make(chan int)
	}()
	select {}
}
`
	inModule(t, map[string]string{"main": source})
	want := []string{
		"main/main.go:12:9: cleanup: syscall.Unshare changes the mount namespace",
		"main/main.go:18:9: pdeathsig: Cmd.Run starts a child",
		"main/main.go:25:3: unlock: ", "3 findings\n",
	}
	for _, flags := range [][]string{nil, {"--fix"}} {
		code, stdout, _ := pinwatch(t, append(append([]string{"vet"}, flags...), "./...")...)
		if code != exitContract || !hasAll(stdout, want) || strings.Contains(stdout, "fix") {
			t.Errorf("vet %v: exit code %d\n%s", flags, code, stdout)
		}
	}
	if text, err := os.ReadFile("main/main.go"); err != nil || string(text) != source {
		t.Errorf("--fix has changed the source: %v\n%s", err, text)
	}
}

// TestExplainCheck: every check has a section with an example before and after, and when to ignore
// it.
func TestExplainCheck(t *testing.T) {
	for _, c := range vet.Checks {
		code, stdout, stderr := pinwatch(t, "explain", c.Name)
		if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, c.Name+"\n") ||
			!strings.Contains(stdout, "statement: "+c.Statement) {
			t.Errorf("%s: exit code %d, %s%s", c.Name, code, stdout, stderr)
		}
		if !hasAll(stdout, []string{"    // before\n", "    // after\n"}) ||
			strings.Contains(stdout, "\t") || strings.Contains(stdout, "```") ||
			strings.Contains(stdout, "###") || c != vet.Checks[len(vet.Checks)-1] && !strings.Contains(stdout, "Ignore it") {
			t.Errorf("%s:\n%s", c.Name, stdout)
		}
	}
}

// written passes on what is written, piece by piece.
type written chan string

func (w written) Write(text []byte) (int, error) { w <- string(text); return len(text), nil }

func TestVetProgress(t *testing.T) {
	out := make(written)
	l := newLoading(out, time.Millisecond)
	for !strings.Contains(<-out, "the go command compiles") {
	}
	l.files.Add(7)
	for !strings.HasSuffix(<-out, ", 7 files read") {
	}
	go l.done()
	for <-out != "\r\x1b[K" { // the line is cleared
	}
	newLoading(nil, time.Millisecond).done()
}

func TestVetHelp(t *testing.T) {
	code, stdout, _ := pinwatch(t, "vet", "--help")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, c := range vet.Checks {
		if !strings.Contains(stdout, c.Name) || !strings.Contains(stdout, c.Summary) {
			t.Errorf("help without %q", c.Name)
		}
	}
}
