// Package client starts a workload in a process of its own and speaks its protocol.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
)

// Patience bounds every wait for a line of a workload. It is long because emulated machines are
// slow.
const Patience = 60 * time.Second

// Options are how a workload is started.
type Options struct {
	Program []string             // command line before the workload's name and flags
	Environ []string             // of the process; nil = that of this one
	Env     []string             // added to it
	Attr    *syscall.SysProcAttr // nil = a process group of its own: Ctrl-C interrupts only this process
	Begun   func(pid int) error  // called once the process exists, before it is waited for; nil = nothing
}

// Process is a running workload.
type Process struct {
	PID   int
	Ready workload.Ready

	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	pipe   *os.File // stdout; read through lines
	lines  *bufio.Reader
	stderr lockedBuffer
	ended  bool
}

// Start starts the workload that args[0] names, with the flags that follow. It returns when the
// workload is set up: at work, or with -hold waiting for Go. The process ends with ctx at the
// latest, and also with this process, because that closes its stdin.
func Start(ctx context.Context, o Options, args ...string) (*Process, error) {
	argv := append(o.Program[:len(o.Program):len(o.Program)], args...)
	p := &Process{name: args[0], cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	p.cmd.Env = append(o.Environ[:len(o.Environ):len(o.Environ)], o.Env...)
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = o.Attr
	if o.Attr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start workload %s: %w", p.name, err)
	}
	if o.Begun != nil {
		if err := o.Begun(p.PID); err != nil {
			p.Kill()
			return nil, fmt.Errorf("start workload %s: %w", p.name, err)
		}
	}
	if err := p.Read(&p.Ready); err != nil {
		return nil, err
	}
	if !p.Ready.Ready {
		p.Kill()
		return nil, fmt.Errorf("workload %s: the first line is no ready line", p.name)
	}
	return p, nil
}

func (p *Process) start() (err error) {
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		p.stdin.Close()
		return err
	}
	p.pipe, p.lines, p.cmd.Stdout = read, bufio.NewReader(read), write
	err = p.cmd.Start()
	write.Close()
	if err != nil {
		read.Close()
		p.stdin.Close()
		return err
	}
	p.PID = p.cmd.Process.Pid
	return nil
}

// Go begins the activity of a workload that was started with -hold. It returns before the activity
// has begun.
func (p *Process) Go() error { return p.Send(workload.Go) }

// Step has a program do its next step, once its activity has begun, and returns the account.
func (p *Process) Step() (*workload.Account, error) { return p.ask(workload.Step) }

// Quiesce ends the activity of a program and returns the account. The threads stay and keep their
// locks.
func (p *Process) Quiesce() (*workload.Account, error) { return p.ask(workload.Quiesce) }

// Stop ends the activity of a program, if that has not been done, and the process. It returns the
// last account. No thread of the process is left then.
func (p *Process) Stop() (*workload.Account, error) {
	a, err := p.ask(workload.Stop)
	if err != nil {
		return nil, err
	}
	return a, p.End()
}

// End closes the stdin of the workload, which ends it, and waits for its exit. A trial ends by
// itself. Lines that have not been read are discarded.
func (p *Process) End() error {
	if p.ended {
		return nil
	}
	p.stdin.Close()
	err := p.pipe.SetReadDeadline(time.Now().Add(Patience))
	if err == nil {
		_, err = io.Copy(io.Discard, p.lines)
	}
	if err != nil {
		p.Kill()
		return p.failed("end", err)
	}
	p.ended = true
	p.pipe.Close()
	if err := p.cmd.Wait(); err != nil {
		return p.failed("end", err)
	}
	return nil
}

// Kill kills the process and waits for it. It does nothing after End or Kill.
func (p *Process) Kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Kill() // fails if the process has ended by itself
	p.stdin.Close()
	p.pipe.Close()
	_ = p.cmd.Wait() // its error is the kill
}

// Send sends a line to the workload.
func (p *Process) Send(line string) error {
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		return p.failed("send "+line, err)
	}
	return nil
}

func (p *Process) ask(line string) (*workload.Account, error) {
	if err := p.Send(line); err != nil {
		return nil, err
	}
	a := new(workload.Account)
	return a, p.Read(a)
}

// Read decodes the next line of the workload. If there is none, it kills the process, so that the
// error has all of stderr.
func (p *Process) Read(v any) error {
	err := p.pipe.SetReadDeadline(time.Now().Add(Patience))
	var line []byte
	if err == nil {
		line, err = p.lines.ReadBytes('\n')
	}
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no line in %v", Patience)
	}
	if err != nil {
		p.Kill()
		return p.failed("read", err)
	}
	return nil
}

// Stderr returns the workload's stderr until now, without space around it.
func (p *Process) Stderr() string { return p.stderr.text() }

func (p *Process) failed(what string, err error) error {
	if text := p.Stderr(); text != "" {
		return fmt.Errorf("workload %s: %s: %w: %s", p.name, what, err, text)
	}
	return fmt.Errorf("workload %s: %s: %w", p.name, what, err)
}

// lockedBuffer is a buffer that is written by the goroutine of exec.Cmd and read by others.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(text)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(b.buf.String())
}
