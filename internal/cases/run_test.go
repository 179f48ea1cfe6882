package cases

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// runLimit is for one run of pinwatch, in which anything that hangs is killed.
const runLimit = 2 * time.Minute

// outcome runs a case once.
func outcome(t *testing.T, e *Expect, dir, pinwatch, program string) (o *Outcome, lossy bool) {
	t.Helper()
	o = &Outcome{}
	if e.Pinwatch[0] == "vet" {
		stdout, stderr, exit := command(t, dir, append([]string{pinwatch}, e.Pinwatch...), nil)
		o.Text, o.Exit, o.Account = stdout+stderr, exit, map[string]any{}
		return o, false
	}
	p := start(t, e, program)
	if e.Throttle {
		testenv.Throttle(t, p.pid())
	}
	argv := append([]string{pinwatch}, e.Pinwatch...)
	argv = append(argv, "-p", strconv.Itoa(p.pid()))
	asJSON := append(slices.Clone(argv), "-o", "json")
	if e.Pinwatch[0] != "attach" {
		stdout, stderr, exit := command(t, dir, argv, nil)
		o.Text, o.Exit = stdout+stderr, exit
		if exit == 0 {
			stdout, _, _ = command(t, dir, asJSON, nil)
			decode(t, stdout, &o.JSON)
		}
		o.Account = p.stop()
		return o, false
	}
	ready := filepath.Join(t.TempDir(), "ready")
	stdout, stderr, exit := command(t, dir, append(asJSON, "--ready-file", ready), func(ctx context.Context) {
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(ready); err == nil {
				p.send("go\n")
				return
			}
		}
	})
	o.Account, o.Exit = p.stop(), exit
	var page bytes.Buffer
	if stdout != "" {
		if err := schematest.Check([]byte(stdout)); err != nil {
			t.Error(err)
		}
		decode(t, stdout, &o.JSON)
		var r report.Report
		decode(t, stdout, &r)
		var screen bytes.Buffer
		if err := errors.Join(text.WriteReport(&page, &r, text.Options{Verbose: true}),
			text.WriteReport(&screen, &r, text.Options{})); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(screen.Bytes(), []byte("\n")); n > 45 {
			t.Errorf("the first screen has %d lines, want 45 at most:\n%s", n, &screen)
		}
		page.Write(screen.Bytes())
		lossy = r.Lossy()
	}
	o.Text = page.String() + stderr
	return o, lossy
}

// command runs a command to its end. meanwhile runs beside it until its context ends.
func command(
	t *testing.T, dir string, argv []string, meanwhile func(context.Context),
) (stdout, stderr string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var beside sync.WaitGroup
	besideCtx, end := context.WithCancel(ctx)
	if meanwhile != nil {
		beside.Go(func() { meanwhile(besideCtx) })
	}
	err := cmd.Wait()
	end()
	beside.Wait()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) || ctx.Err() != nil {
		t.Fatalf("%s: %v: %v: %s", strings.Join(argv, " "), err, ctx.Err(), complaint.String())
	}
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("read pinwatch's JSON: %v", err)
	}
}

// lossyAttempts is how often a case is run when records are lost, before nothing is judged.
const lossyAttempts = 3

// check runs a case and compares. A run that lost records proves nothing and is repeated.
func check(t *testing.T, e *Expect, dir, pinwatch string, anywhere []*regexp.Regexp) {
	program := build(t, e, dir)
	for range lossyAttempts {
		o, lossy := outcome(t, e, dir, pinwatch, program)
		if lossy {
			continue
		}
		problems := e.Problems(o, anywhere)
		for _, p := range problems {
			t.Error(p)
		}
		if problems != nil || *show {
			t.Logf("account: %s\n%s", write(o.Account), o.Text)
		}
		return
	}
	testenv.NotJudged(t, "records were lost, every time")
}

// build builds the program of a case; "" for vet, which reads its source.
func build(t *testing.T, e *Expect, dir string) string {
	t.Helper()
	testenv.Require(t, testenv.GoCommand)
	if e.Pinwatch[0] == "vet" {
		return ""
	}
	program := filepath.Join(t.TempDir(), filepath.Base(dir))
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", program}, e.Build, []string{"."})...)
	cmd.Dir = dir
	cgo := "CGO_ENABLED=0"
	if slices.Contains(e.Needs, "cgo") {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// process is a running program of a case.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	stderr  bytes.Buffer
	account map[string]any
	lines   chan map[string]any // closed at the end of stdout
}

// patience bounds every wait for the program; one of them builds a plugin first.
const patience = time.Minute

// start starts a program and waits until it is ready. It is killed when its test ends.
func start(t *testing.T, e *Expect, program string) *process {
	t.Helper()
	p := &process{t: t, account: map[string]any{}, lines: make(chan map[string]any, 1)}
	p.cmd = exec.Command(program, e.Args...)
	p.cmd.Env = append(os.Environ(), e.Env...)
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = w
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(p.lines)
		for d := json.NewDecoder(r); ; {
			var line map[string]any
			if d.Decode(&line) != nil {
				return
			}
			p.lines <- line
		}
	})
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // its children, too; fails if all have ended
		p.stdin.Close()
		r.Close()
		for range p.lines {
		}
		reader.Wait()
		_ = p.cmd.Wait() // its error is the kill, or that stop has waited
	})
	if !p.read() {
		t.Fatalf("%s ended before it was ready: %s", program, p.complaint())
	}
	return p
}

// read adds a line to the account. It is false at the end of stdout.
func (p *process) read() bool {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		for key, v := range line {
			p.account[key] = v
		}
		return ok
	case <-time.After(patience):
		p.t.Fatalf("the program prints no line in %v: %s", patience, p.complaint())
	}
	return false
}

// pid is the process to observe.
func (p *process) pid() int {
	if pid, ok := p.account["pid"].(float64); ok {
		return int(pid)
	}
	return p.cmd.Process.Pid
}

func (p *process) send(line string) { _, _ = io.WriteString(p.stdin, line) } // fails if the program has ended

// stop has the program end, which must succeed, and returns its account.
func (p *process) stop() map[string]any {
	p.t.Helper()
	p.stdin.Close()
	for p.read() {
	}
	end := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer end.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program fails: %v: %s", err, p.stderr.String())
	}
	return p.account
}

// complaint is what the program printed on stderr; it kills the program first.
func (p *process) complaint() string {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	return p.stderr.String()
}
