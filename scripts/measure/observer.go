package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

const (
	readyPoll  = 5 * time.Millisecond
	readyLimit = 60 * time.Second // for an observer to be ready
	endLimit   = 60 * time.Second // for it to write its results
	endRepeat  = 15 * time.Second // bpftrace misses an interrupt now and then; a second one makes pinwatch stop at once
)

// Observer is a running program that observes another one.
type Observer struct {
	PID  int
	Took time.Duration // from its start until it was ready

	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	exited         chan error
}

// Observe starts a command and returns when ready is true, which means that the command observes
// everything. The command ends with ctx at the latest.
func Observe(ctx context.Context, argv []string, ready func(pid int) bool) (*Observer, error) {
	o := &Observer{exited: make(chan error, 1), cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	o.cmd.Stdout, o.cmd.Stderr = &o.stdout, &o.stderr
	o.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // Ctrl-C interrupts only this program, which ends the observer
		Pdeathsig: syscall.SIGTERM, // most would observe for ever
	}
	began := time.Now()
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel sends Pdeathsig when this thread ends
		defer runtime.UnlockOSThread()
		err := o.cmd.Start()
		started <- err
		if err == nil {
			o.exited <- o.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	o.PID = o.cmd.Process.Pid
	for !ready(o.PID) {
		select {
		case err := <-o.exited:
			if err == nil {
				err = errors.New("ended too soon")
			}
			return nil, fmt.Errorf("%s: %w: %s", argv[0], err, o.complaint())
		case <-time.After(readyPoll):
		}
		if time.Since(began) > readyLimit {
			_ = o.cmd.Process.Kill()
			return nil, fmt.Errorf("%s: not ready after %v: %w: %s", argv[0], readyLimit, <-o.exited, o.complaint())
		}
	}
	o.Took = time.Since(began)
	return o, nil
}

// End ends the observer as Ctrl-C does and returns its output. An end by the signal itself is no
// error.
func (o *Observer) End() ([]byte, error) {
	for range endLimit / endRepeat {
		_ = o.cmd.Process.Signal(os.Interrupt) // an error means that it has ended, which the next lines find out
		select {
		case err := <-o.exited:
			var exit *exec.ExitError
			if err != nil && !(errors.As(err, &exit) && interrupted(exit)) {
				return nil, fmt.Errorf("%s: %w: %s", o.cmd.Path, err, o.complaint())
			}
			return o.stdout.Bytes(), nil
		case <-time.After(endRepeat):
		}
	}
	_ = o.cmd.Process.Kill()
	return nil, fmt.Errorf("%s does not end: %w: %s", o.cmd.Path, <-o.exited, o.complaint())
}

// CPU returns the observer's CPU time from its start to its end. Call it after End.
func (o *Observer) CPU() time.Duration {
	return o.cmd.ProcessState.UserTime() + o.cmd.ProcessState.SystemTime()
}

// interrupted reports whether a process ended by an interrupt, or with the status that shells give
// that.
func interrupted(e *exec.ExitError) bool {
	status, ok := e.Sys().(syscall.WaitStatus)
	return ok && (status.Signaled() && status.Signal() == syscall.SIGINT || status.ExitStatus() == 128+int(syscall.SIGINT))
}

// complaint returns the end of the observer's standard error.
func (o *Observer) complaint() string {
	text := strings.Join(strings.Fields(o.stderr.String()), " ")
	return text[max(0, len(text)-300):]
}

// FileThere is ready when a file exists: pinwatch's --ready-file.
func FileThere(path string) func(int) bool {
	return func(int) bool {
		_, err := os.Stat(path)
		return err == nil
	}
}

// settle is how long an observer's hooks must stay the same to be complete.
const settle = 500 * time.Millisecond

// HooksSettled is ready when the observer holds perf events or BPF programs and has made none for a
// while. It is for tools that do not report readiness. A hook that comes later is in the tool's
// favour.
func HooksSettled() func(int) bool {
	held, since := 0, time.Now()
	return func(pid int) bool {
		if n := Hooks(pid); n != held {
			held, since = n, time.Now()
		}
		return held > 0 && time.Since(since) > settle
	}
}

// Traced is ready when every thread of target has a tracer: strace.
func Traced(target int) func(int) bool {
	return func(int) bool {
		tids, err := procfs.Process(target).Threads()
		untraced := slices.ContainsFunc(tids, func(tid int32) bool {
			status, err := procfs.Thread(target, tid).Status()
			return err == nil && status.TracerPID == 0
		})
		return err == nil && !untraced
	}
}
