// Package launch starts a program that waits before its first instruction, so that an observation
// can begin before it does.
//
// The program is traced (ptrace(2)) until then, by way of a helper process that executes it: the kernel
// stops it at the end of execve(2), with its image mapped and nothing of it run, not even the dynamic
// loader (kernel/ptrace.c, ptrace_event; fs/exec.c). Release lets it go for good: from then on it is
// not traced, and has its parent's standard streams, terminal and process group as any program that a
// shell starts. A program that uses this package calls Help in an init of main.
package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what to start.
type Command struct {
	Args []string    // the program and its arguments; the program is looked for in PATH
	Env  []string    // nil = the caller's
	User *Credential // nil = the caller
}

// Credential is a user with its groups.
type Credential struct {
	UID, GID uint32
	Groups   []uint32
}

// ErrNotFound and ErrNotExecutable are in the errors of Start about the program itself.
var (
	ErrNotFound      = errors.New("command not found")
	ErrNotExecutable = errors.New("command is not executable")
)

// Child is a started program. It waits until Release or Kill, one of which must be called.
type Child struct {
	PID int

	process *os.Process
	orders  chan func(pid int) error // for the thread that traces it
	answers chan error
	ended   chan struct{}
	state   *os.ProcessState
	err     error
}

// Start starts the program and returns when it waits. If the caller dies before Release, the
// program is killed.
func Start(c *Command) (*Child, error) {
	path, err := Find(c.Args[0])
	if err != nil {
		return nil, err
	}
	child, err := startFile(c, path, c.Args)
	if errors.Is(err, unix.ENOEXEC) { // a script without #! is the shell's, as for execvp(3)
		child, err = startFile(c, shell, append([]string{shell, path}, c.Args[1:]...))
	}
	return child, err
}

const shell = "/bin/sh"

func startFile(c *Command, path string, argv []string) (*Child, error) {
	cmd := exec.Command(path)
	cmd.Args = slices.Clone(argv)
	cmd.Env = c.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	helped(cmd, c.User)
	child := &Child{orders: make(chan func(int) error), answers: make(chan error), ended: make(chan struct{})}
	started := make(chan error)
	go child.trace(cmd, c, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return child, nil
}

// Find finds a program as a shell does. Its error is ErrNotFound or ErrNotExecutable.
func Find(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	switch {
	case name == "":
		return "", fmt.Errorf(`"": %w`, ErrNotFound)
	case errors.Is(err, exec.ErrDot):
		return path, nil // named by the caller's own PATH
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: %w", name, ErrNotFound)
	case err != nil:
		return "", fmt.Errorf("%s: %w: %w", name, ErrNotExecutable, errors.Unwrap(err))
	}
	return path, nil
}

// trace starts the program, and lets it go when it is told to. Only the thread that started a
// program can do that.
func (c *Child) trace(cmd *exec.Cmd, command *Command, started chan<- error) {
	runtime.LockOSThread() // for good, so that the thread ends and traces nothing any more
	name := command.Args[0]
	if err := cmd.Start(); err != nil {
		started <- fmt.Errorf("start %s: %w", name, held(err))
		return
	}
	c.process, c.PID = cmd.Process, cmd.Process.Pid
	var ended *endedError
	err := c.awaitBegin(name)
	switch {
	case err == nil:
	case !errors.As(err, &ended):
		err = errors.Join(fmt.Errorf("start %s: %w", name, held(err)), cmd.Process.Kill())
		_ = cmd.Wait() // as it was killed
	case ended.why == nil:
		err = fmt.Errorf("start %s: %w", name, err)
	}
	started <- err
	if err != nil {
		return
	}
	order := <-c.orders
	if err = order(c.PID); err != nil {
		_ = c.process.Kill() // else it would stay stopped
	}
	c.answers <- err
	var exited *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exited) {
		c.err = err
	}
	c.state = cmd.ProcessState
	close(c.ended)
}

// memlock is RLIMIT_MEMLOCK as this process was given it. Before Linux 5.11 loading BPF programs raises it,
// which may happen before or after the program is started.
var memlock = currentMemlock()

func currentMemlock() (limit unix.Rlimit) {
	_ = unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) // it can't fail: the resource exists
	return limit
}

// awaitBegin waits until the program stops at the end of its execve.
func (c *Child) awaitBegin(name string) error {
	err := c.awaitStop(func(status unix.WaitStatus) bool { return status.StopSignal() == unix.SIGTRAP })
	if err == nil {
		err = unix.PtraceSetOptions(c.PID, unix.PTRACE_O_EXITKILL|unix.PTRACE_O_TRACEEXEC)
	}
	if err == nil {
		err = c.awaitExec(name)
	}
	return err
}

// endedError means that the program ended before it began, as by a signal.
type endedError struct {
	status unix.WaitStatus
	why    error // nil = by a signal
}

func (e *endedError) Error() string {
	if e.why != nil {
		return e.why.Error()
	}
	return "it was ended before it began, by a signal: " + e.status.Signal().String()
}

func (e *endedError) Unwrap() error { return e.why }

// awaitStop waits until the program is in the stop that is meant: at the end of an execve, which
// stops it by a SIGTRAP (ptrace(2), PTRACE_TRACEME). Another signal may come first.
func (c *Child) awaitStop(meant func(unix.WaitStatus) bool) error {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(c.PID, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for its execve: %w", err)
		case !status.Stopped():
			return &endedError{status: status}
		case meant(status):
			return nil
		default:
			if err := unix.PtraceCont(c.PID, int(status.StopSignal())); err != nil {
				return fmt.Errorf("pass %v on: %w", status.StopSignal(), err)
			}
		}
	}
}

// held adds what may refuse to trace a program.
func held(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) || errno != unix.EPERM && errno != unix.ENOSYS {
		return err
	}
	return fmt.Errorf("it can't be held until it is observed, as ptrace(2) is refused (%w), by a seccomp filter or "+
		"kernel.yama.ptrace_scope: start it yourself, and use pinwatch attach", errno)
}

// execError tells apart why a program could not be executed, as env(1) does.
func execError(name string, errno syscall.Errno) error {
	if errno == unix.ENOENT { // the program's file was found
		return fmt.Errorf("%s: %w: its interpreter: %w", name, ErrNotFound, errno)
	}
	return fmt.Errorf("%s: %w: %w", name, ErrNotExecutable, errno)
}

// Release lets the program go. With an error, it is killed. That it was killed before is none: Wait tells that.
func (c *Child) Release() error {
	c.orders <- unix.PtraceDetach
	if err := <-c.answers; err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("let the command go: %w", err)
	}
	return nil
}

// Kill ends the program, which has not begun, and waits for its end.
func (c *Child) Kill() error {
	c.orders <- func(pid int) error { return unix.Kill(pid, unix.SIGKILL) }
	err := <-c.answers
	<-c.ended
	return errors.Join(err, c.err)
}

// Signal sends a signal to the program, unless that has ended.
func (c *Child) Signal(sig os.Signal) error {
	if err := c.process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// shortStop is a stop that AwaitStop leaves out. Ctrl-Z stops the caller as well, which may see the program
// stopped when both go on.
const shortStop = 20 * time.Millisecond

// AwaitStop waits until the program, once released, is stopped by a signal. stopped = false: it has ended.
func (c *Child) AwaitStop() (stopped bool) {
	for {
		var now unix.Siginfo
		switch err := unix.Waitid(unix.P_PID, c.PID, nil, unix.WSTOPPED|unix.WNOWAIT, nil); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false
		}
		time.Sleep(shortStop)
		if unix.Waitid(unix.P_PID, c.PID, &now, unix.WSTOPPED|unix.WNOHANG, nil) == nil && now.Signo != 0 {
			return true
		}
	}
}

// Wait waits for the end of the program and returns its exit code, as shells have it: 128 and the
// number of the signal that ended it.
func (c *Child) Wait() (code int, err error) {
	<-c.ended
	if c.err != nil {
		return 0, c.err
	}
	if status := c.state.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return c.state.ExitCode(), nil
}
