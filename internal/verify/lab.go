package verify

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

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/workload"
)

// Lab is where experiments are done: the programs to be observed, and who observes.
type Lab struct {
	GoVersion string   // that built the workloads
	Program   []string // command line that a workload's name and flags are put behind
	CPUs      []int    // that workloads are confined to; nil = any
	Emulated  bool     // the CPUs are: as contract.Evidence
	// Alter gives a workload's flags further ones, by its name: for tests, which want verdicts to change with the world. nil = none.
	Alter map[string][]string
	// Cgo builds the workload with C by the same release and gives its command line.
	Cgo func(context.Context) ([]string, error)
	// Release builds the workload by another release of Go and gives its command line.
	Release func(ctx context.Context, release string) ([]string, error)
	// Unobserved is why this machine gives no kernel events; "" when it does.
	Unobserved string
}

// patience bounds every wait for a workload. It is long: emulated machines are slow, and who waits in vain has failed.
const patience = 60 * time.Second

// proc is a workload that runs.
type proc struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	pipe   *os.File // its stdout, read through out
	out    *bufio.Reader
	stderr words
}

// start starts the built-in workload that args name and waits until it is set up.
func (r *run) start(args ...string) (*proc, error) { return r.startAs(r.lab.Program, nil, args...) }

func (r *run) startAs(program, env []string, args ...string) (*proc, error) {
	var p *proc
	err := confined(r.lab.CPUs, func() (err error) {
		p, err = r.launch(program, env, &syscall.SysProcAttr{Setpgid: true}, args...)
		return err
	})
	return p, err
}

// launch starts a workload with attributes of its process. They always include a process group of its own: Ctrl-C is for us alone.
func (r *run) launch(program, env []string, attr *syscall.SysProcAttr, args ...string) (*proc, error) {
	args = append(args[:len(args):len(args)], r.lab.Alter[args[0]]...)
	r.Workloads = append(r.Workloads, strings.Join(append(env[:len(env):len(env)], args...), " "))
	p := &proc{cmd: exec.CommandContext(r, program[0], append(program[1:len(program):len(program)], args...)...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = attr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	p.pipe, p.out, p.cmd.Stdout = read, bufio.NewReader(read), write
	err = p.cmd.Start()
	write.Close()
	if err != nil {
		read.Close()
		return nil, fmt.Errorf("start workload: %w", err)
	}
	var ready workload.Ready
	if err := p.read(&ready); err != nil || !ready.Ready {
		p.kill()
		return nil, fmt.Errorf("workload %s did not get ready: %w", args[0], err)
	}
	return p, nil
}

// trial runs a trial to its end and decodes its account.
func (r *run) trial(account any, args ...string) error {
	return r.trialAs(r.lab.Program, nil, account, args...)
}

func (r *run) trialAs(program, env []string, account any, args ...string) error {
	r.Source = "the workload's own account"
	p, err := r.startAs(program, env, args...)
	if err != nil {
		return err
	}
	if err := p.read(account); err != nil {
		p.kill()
		return fmt.Errorf("workload %s: %w", args[0], err)
	}
	return p.end()
}

// words are what a process says while it is listened to.
type words struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *words) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(w.buf.String())
}

func (p *proc) tell(command string) error {
	_, err := fmt.Fprintln(p.stdin, command)
	return err
}

// read reads the next line into v.
func (p *proc) read(v any) error {
	if err := p.pipe.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		return fmt.Errorf("%w %s", err, p.stderr.said())
	}
	return nil
}

// end waits for a workload that has been told to end, or does so by itself.
func (p *proc) end() error {
	p.stdin.Close()
	// The last line's deadline may be over, and who can't print an account ends with an error.
	if err := p.pipe.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, p.out)
	p.pipe.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("end workload: %w %s", err, p.stderr.said())
	}
	return nil
}

func (p *proc) kill() {
	p.cmd.Process.Kill()
	p.stdin.Close()
	p.pipe.Close()
	p.cmd.Wait()
}

// watched is a workload that pinwatch observed from the rest before its activity to the rest after it: both tell of the same.
type watched struct {
	*observe.Window
	account workload.Account
}

// lastSwitch is how long a thread that has left the process may still run in the kernel.
const lastSwitch = 50 * time.Millisecond

// watch has a workload at work for as long as work says while pinwatch observes it.
func (r *run) watch(work time.Duration, env []string, args ...string) (*watched, error) {
	if r.lab.Unobserved != "" {
		return nil, unableError(r.lab.Unobserved)
	}
	r.Source = "kernel events, and the workload's own account"
	p, err := r.startAs(r.lab.Program, env, append(args, "-hold")...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r)
	defer cancel()
	began, ended := make(chan struct{}), make(chan error, 1)
	w := &watched{}
	go func() {
		var err error
		w.Window, err = observe.Run(ctx, observe.Config{PID: p.cmd.Process.Pid, OnBegin: func() error {
			close(began)
			return nil
		}})
		ended <- err
	}()
	select {
	case <-began:
	case err := <-ended:
		p.kill()
		return nil, errors.Join(err, r.Err())
	}
	err = p.tell("go")
	if err == nil {
		pause(r, work)
		err = p.tell("quiesce")
	}
	if err == nil {
		err = p.read(&w.account)
	}
	pause(r, lastSwitch)
	cancel()
	err = errors.Join(err, <-ended)
	if err != nil {
		p.kill()
		return nil, err
	}
	if err := p.end(); err != nil { // the end of its input ends it
		return nil, err
	}
	r.Lossy = r.Lossy || lossy(w.Result.Loss)
	return w, nil
}

func lossy(l correlate.Loss) bool { return l.Total()+l.Late+l.RecursionMisses > 0 }

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
