package testenv

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// patience bounds every wait for another process. It is long: emulated machines are slow, and who waits in vain has failed.
const patience = 60 * time.Second

// Proc is a workload in a process of its own. It is killed when its test ends.
type Proc struct {
	PID int

	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	pipe   *os.File // stdout; read through out
	out    *bufio.Reader
	stderr bytes.Buffer
	ended  bool
}

// Workload starts the workload that args[0] names, with the flags that follow, and returns once it is set up: at work
// already, or with -hold waiting for Go. The program is built once per test process, or taken from where PINWATCH_WORKLOAD says.
func Workload(t testing.TB, args ...string) *Proc {
	t.Helper()
	return launch(t, workloadProgram(t), args)
}

// CgoWorkload is Workload with a program that is linked with C: pthread_create makes its threads. It has one more workload, cgo.
func CgoWorkload(t testing.TB, args ...string) *Proc {
	t.Helper()
	Require(t, Toolchain, CCompiler)
	return launch(t, built(t, "cgoworkload", "CGO_ENABLED=1"), args)
}

func launch(t testing.TB, program string, args []string) *Proc {
	t.Helper()
	p := &Proc{t: t, cmd: exec.Command(program, args...)}
	p.cmd.Stderr = &p.stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatalf("start workload %v: %v", args, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatalf("start workload %v: %v", args, err)
	}
	p.pipe, p.out, p.cmd.Stdout = r, bufio.NewReader(r), w
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		p.stdin.Close()
		t.Fatalf("start workload %v: %v", args, err)
	}
	t.Cleanup(p.kill)

	var ready workload.Ready
	p.read(&ready)
	if !ready.Ready {
		t.Fatalf("workload %v: its first line is not that it is ready", args)
	}
	p.PID = p.cmd.Process.Pid
	return p
}

// Go begins the activity of a workload that was started with -hold. It returns before the activity has begun; when
// that was is in the Account.
func (p *Proc) Go() {
	p.t.Helper()
	p.tell("go")
}

// Step has the workload do its next step, once its activity has begun, and returns the account of it.
func (p *Proc) Step() workload.Account {
	p.t.Helper()
	p.tell("step")
	return p.account()
}

// Quiesce ends the activity and returns the account of it. The threads live on, and keep their locks.
func (p *Proc) Quiesce() workload.Account {
	p.t.Helper()
	p.tell("quiesce")
	return p.account()
}

// Stop ends the activity, if that has not been done, and the process; it returns the last account. No thread of the
// process is left after it.
func (p *Proc) Stop() workload.Account {
	p.t.Helper()
	p.tell("stop")
	a := p.account()
	p.ended = true
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("workload: %v; stderr: %s", err, &p.stderr)
	}
	return a
}

// Threads lists the live threads of the process as the kernel has them, in no order.
func (p *Proc) Threads() []int32 {
	p.t.Helper()
	tids, err := procfs.Process(p.PID).Threads()
	if err != nil {
		p.t.Fatal(err)
	}
	return tids
}

func (p *Proc) tell(command string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.stdin, command); err != nil {
		p.t.Fatalf("tell the workload to %s: %v", command, err)
	}
}

func (p *Proc) account() workload.Account {
	p.t.Helper()
	var a workload.Account
	p.read(&a)
	return a
}

// read reads the next line into v.
func (p *Proc) read(v any) {
	p.t.Helper()
	err := p.pipe.SetReadDeadline(time.Now().Add(patience))
	var line []byte
	if err == nil {
		line, err = p.out.ReadBytes('\n')
	}
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		p.kill() // and with it wait for all of stderr
		p.t.Fatalf("read a %T from the workload: %v; stderr: %s", v, err, &p.stderr)
	}
}

func (p *Proc) kill() {
	if !p.ended {
		p.ended = true
		p.cmd.Process.Kill() // an error means that it has ended by itself
		p.cmd.Wait()
	}
	p.pipe.Close()
}

// WorkloadProgram is the path of the program that Workload starts.
func WorkloadProgram(t testing.TB) string {
	t.Helper()
	return workloadProgram(t)
}

// workloadProgram is the path of the workload command, which it builds if it must. It is the pure-Go build: only
// that creates threads by clone alone.
func workloadProgram(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("PINWATCH_WORKLOAD"); path != "" {
		return path
	}
	return built(t, "workload", "CGO_ENABLED=0")
}

// built is the path of one of the commands of package workload, which is built once per test process.
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

// CgoTrial runs a trial of the program that is linked with C to its end and decodes its account.
func CgoTrial(t testing.TB, account any, args ...string) {
	t.Helper()
	p := CgoWorkload(t, args...)
	p.read(account)
	p.ended = true
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("trial %v: %v; stderr: %s", args, err, &p.stderr)
	}
}
