package testenv

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// Proc is a workload in a process of its own. It is killed when its test ends. What fails in it
// fails the test.
type Proc struct {
	PID int

	t       testing.TB
	process *client.Process
}

// Workload starts the workload that args[0] names, with the flags that follow. It returns once the
// workload is set up: at work already, or with -hold waiting for Go. The program is built once per
// test process, unless PINWATCH_WORKLOAD names one.
func Workload(t testing.TB, args ...string) *Proc {
	t.Helper()
	return launch(t, WorkloadProgram(t), args)
}

// CgoWorkload is Workload with a program that is linked with C: pthread_create makes its threads.
// It has more programs, cgo among them, and more trials. It is built once per test process, unless
// PINWATCH_CGO_WORKLOAD names one, as in a guest of the kernel matrix.
func CgoWorkload(t testing.TB, args ...string) *Proc {
	t.Helper()
	if given := os.Getenv("PINWATCH_CGO_WORKLOAD"); given != "" {
		if _, err := os.Stat(given); err == nil {
			return launch(t, given, args)
		}
	}
	Require(t, Toolchain, CCompiler)
	return launch(t, built(t, "cgoworkload", "CGO_ENABLED=1"), args)
}

// CProgram builds a C program and returns its path.
func CProgram(t testing.TB, source string) string {
	t.Helper()
	Require(t, CCompiler)
	program := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(source), ".c"))
	if text, err := exec.Command("gcc", "-O1", "-pthread", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	return program
}

func launch(t testing.TB, program string, args []string) *Proc {
	t.Helper()
	process, err := client.Start(context.Background(), client.Options{Program: []string{program}}, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	return &Proc{PID: process.PID, t: t, process: process}
}

// Ready is the first line of the workload.
func (p *Proc) Ready() workload.Ready { return p.process.Ready }

// Go begins the activity of a workload that was started with -hold. It returns before the activity
// has begun; the Account has the time of the beginning.
func (p *Proc) Go() {
	p.t.Helper()
	p.check(p.process.Go())
}

// Step has the workload do its next step, once its activity has begun, and returns the account.
func (p *Proc) Step() workload.Account {
	p.t.Helper()
	return p.account(p.process.Step())
}

// Quiesce ends the activity and returns the account. The threads stay and keep their locks.
func (p *Proc) Quiesce() workload.Account {
	p.t.Helper()
	return p.account(p.process.Quiesce())
}

// Stop ends the activity, if that has not been done, and the process. It returns the last account.
// No thread of the process is left then.
func (p *Proc) Stop() workload.Account {
	p.t.Helper()
	return p.account(p.process.Stop())
}

// Send sends a line to the workload.
func (p *Proc) Send(line string) {
	p.t.Helper()
	p.check(p.process.Send(line))
}

// Read decodes the next line of the workload.
func (p *Proc) Read(v any) {
	p.t.Helper()
	p.check(p.process.Read(v))
}

// End waits for the exit of a workload that ends by itself, or at the end of its stdin.
func (p *Proc) End() {
	p.t.Helper()
	p.check(p.process.End())
}

// Stderr returns the workload's stderr until now.
func (p *Proc) Stderr() string { return p.process.Stderr() }

// Threads lists the live threads of the process from the kernel, in no order.
func (p *Proc) Threads() []int32 {
	p.t.Helper()
	tids, err := procfs.Process(p.PID).Threads()
	p.check(err)
	return tids
}

func (p *Proc) account(a *workload.Account, err error) workload.Account {
	p.t.Helper()
	p.check(err)
	return *a
}

func (p *Proc) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// CgoTrial runs a trial of the program that is linked with C to its end and decodes its account.
func CgoTrial(t testing.TB, account any, args ...string) {
	t.Helper()
	p := CgoWorkload(t, args...)
	p.Read(account)
	p.End()
}

// TreeProgram is the path of internal/workload/cmd/tree, which it builds once per test process.
func TreeProgram(t testing.TB) string {
	t.Helper()
	Require(t, Toolchain)
	return built(t, "tree", "CGO_ENABLED=0")
}

// CgoTreeProgram is that of internal/workload/cmd/cgotree.
func CgoTreeProgram(t testing.TB) string {
	t.Helper()
	Require(t, Toolchain, CCompiler)
	return built(t, "cgotree", "CGO_ENABLED=1")
}

// workloadVariable names the program that Workload starts.
const workloadVariable = "PINWATCH_WORKLOAD"

// WorkloadProgram is the path of the program that Workload starts, which it builds if it must. It
// is the pure-Go build: only that creates threads by clone alone.
func WorkloadProgram(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(workloadVariable); path != "" {
		return path
	}
	return built(t, "workload", "CGO_ENABLED=0")
}

// built is the path of one of the workload commands, which is built once per test process.
func built(t testing.TB, name, env string) string {
	t.Helper()
	session.Lock()
	defer session.Unlock()
	path := filepath.Join(sessionDir(t), name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	Require(t, Toolchain)
	build := exec.Command("go", "build", "-o", path, "github.com/pinwatch/pinwatch/internal/workload/cmd/"+name)
	build.Env = append(os.Environ(), env)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// MainAsWorkload is Main for the tests of the workloads themselves: Workload starts the test
// binary, which then calls main. So the workloads are tested as they are, with the race detector if
// the test has it.
func MainAsWorkload(m *testing.M, main func(args []string, stdin io.Reader, stdout, stderr io.Writer) int) int {
	const self = "PINWATCH_TEST_SELF_AS_WORKLOAD"
	if os.Getenv(self) != "" {
		return main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	}
	dir, err := os.MkdirTemp("", "pinwatch-self-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "workload") // a program of this name does what workload.InitVariable asks for
	path, err := os.Executable()
	if err == nil {
		err = os.Symlink(path, program)
	}
	if err != nil {
		panic(err)
	}
	os.Setenv(workloadVariable, program)
	os.Setenv(self, "1")
	// By default every process with the race detector sleeps a second before it leaves. A race
	// still fails it.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	return Main(m)
}
