package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/launch"
)

// Exit codes of run that are not the command's own, as those of env(1), nohup(1) and timeout(1).
const (
	exitRunFailed     = 125 // pinwatch failed
	exitNotExecutable = 126
	exitNotFound      = 127
)

const runName = "run"

// runsProgram: signals are for the program that run or check starts, see relay.
func runsProgram(args []string) bool {
	return len(args) > 1 && (args[1] == runName || args[1] == checkName && slices.Contains(args, "--"))
}

func runCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      runName,
		Usage:     "start a program, observe it from its first instruction, and report",
		Category:  "observe",
		ArgsUsage: "-- COMMAND [ARG]...",
		Description: `The command has pinwatch's standard input and output, terminal and signals. The report goes to
standard error, or to --out. Under sudo the command runs as the user who called it. Every Go program that
the command starts, directly or through others, is observed as well, until the command ends.

Examples:
  sudo pinwatch run -- ./server -config x.yaml
  sudo pinwatch run -- go test ./...                            a summary of all its processes
  sudo pinwatch run --out reports/ -- make test                 and a report of each
  sudo pinwatch run --skip '^(compile|link)$' -- go build ./...
  sudo pinwatch run --out report.json -- ./bench
  sudo pinwatch run --user nobody -- ./server

Exit codes: the command's; 128 and the number of the signal that ended it; 125 pinwatch could not
observe it (before it began, the command was not run), 126 not executable, 127 not found; 3 and 4 by
--fail-on, where the command's is 0.`,
		Flags: slices.Concat(followFlags(), []cli.Flag{
			userFlag(),
			offsetsFlag(),
			goVersionFlag(),
		}, observeFlags()),
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			o, err := parseOptions(c, "")
			if err != nil {
				return err
			}
			argv, who, g, err := parseRun(c, s, runName)
			if err != nil {
				return err
			}
			return runProgram(c.Context, s, o, g, argv, who)
		},
	}
}

func userFlag() cli.Flag {
	return &cli.StringFlag{Name: "user", DefaultText: "who called sudo",
		Usage: "run the command as `USER`, a name or a number, with its groups and HOME"}
}

// parseRun reads what to run, as whom, and what to follow. name is the command of pinwatch.
func parseRun(c *cli.Context, s streams, name string) (argv []string, who *identity, g groupOptions, err error) {
	g.follow = true
	if argv, err = commandLine(name, s.args, c.Args().Slice()); err == nil {
		who, err = runAs(c)
	}
	if err == nil {
		err = parseFollow(c, &g)
	}
	return argv, who, g, err
}

// commandLine is what follows the first --. arguments are those that are no flags.
func commandLine(name string, args, arguments []string) ([]string, error) {
	at := slices.Index(args, "--")
	switch {
	case at < 0 && len(arguments) > 0:
		return nil, usagef("-- is missing before the command: pinwatch %s [flags] -- %s", name, arguments[0])
	case at < 0 || at == len(args)-1:
		return nil, usagef("the command is missing: pinwatch %s [flags] -- COMMAND [ARG]...", name)
	case len(arguments) != len(args)-at-1:
		return nil, usagef("only flags stand before --; what is %q?", arguments[0])
	}
	return args[at+1:], nil
}

// identity is whom a command runs as: nil = the caller.
type identity struct {
	launch.Credential
	env []string
}

// runAs reads --user; without it, root runs a command for the user who called sudo.
func runAs(c *cli.Context) (*identity, error) {
	name, flag := c.String("user"), "--user "
	if !c.IsSet("user") {
		if name, flag = os.Getenv("SUDO_UID"), "SUDO_UID "; name == "" || os.Geteuid() != 0 {
			return nil, nil
		}
	}
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return nil, usagef("%s%s: no such user; name another with --user", flag, strconv.Quote(name))
	}
	if u.Uid == strconv.Itoa(os.Geteuid()) {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, usagef("%s%s: only root can run a command as another user", flag, strconv.Quote(name))
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", u.Username, err)
	}
	who := &identity{env: []string{"HOME=" + u.HomeDir, "USER=" + u.Username, "LOGNAME=" + u.Username}}
	who.UID, who.GID = id(u.Uid), id(u.Gid)
	for _, g := range groups {
		who.Groups = append(who.Groups, id(g))
	}
	return who, nil
}

// id is the number of a user or group: os/user gives decimal numbers on this system.
func id(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		panic(err)
	}
	return uint32(n)
}

// runProgram runs a command and observes it with all that it starts.
func runProgram(ctx context.Context, s streams, o options, g groupOptions, argv []string, who *identity) error {
	command := &launch.Command{Args: argv}
	if who != nil {
		command.User, command.Env = &who.Credential, append(os.Environ(), who.env...)
	}
	signals := make(chan os.Signal, 8)
	// One that is ignored, as SIGHUP under nohup(1), is so for the command as well.
	signal.Notify(signals, slices.DeleteFunc(slices.Clone(relayed), signal.Ignored)...)
	if _, err := launch.Find(argv[0]); err != nil {
		return s.notStarted(err)
	}
	var child *launch.Child
	var startErr error
	g.start = func() (int, error) {
		if child, startErr = launch.Start(command); startErr != nil {
			return 0, startErr
		}
		return child.PID, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun := false
	o.begin = func() error {
		if err := interrupted(signals); err != nil {
			return err
		}
		begun = true
		go relay(signals, child)
		go func() {
			_, _ = child.Wait() // again below
			cancel()
		}()
		err := child.Release()
		go stopWith(child)
		return err
	}
	s.out = s.err // standard output is the command's
	observed := observeGroup(ctx, s, o, g)
	if !begun {
		if child != nil {
			observed = errors.Join(observed, child.Kill())
		}
		var by interruptedError
		switch {
		case errors.As(cmp.Or(interrupted(signals), observed), &by):
			return status(128 + int(by.signal))
		case startErr != nil:
			return s.notStarted(startErr)
		}
		return s.failed(fmt.Errorf("%w; the command was not run", observed), exitRunFailed)
	}
	code, err := child.Wait()
	var failed status
	switch isStatus := errors.As(observed, &failed); {
	case err != nil:
		return s.failed(err, exitRunFailed)
	case observed != nil && !isStatus:
		return s.failed(observed, exitRunFailed)
	case code != 0:
		return status(code)
	}
	return observed
}

// notStarted prints why the command could not be started.
func (s streams) notStarted(err error) error {
	code := exitRunFailed
	switch {
	case errors.Is(err, launch.ErrNotFound):
		code = exitNotFound
	case errors.Is(err, launch.ErrNotExecutable):
		code = exitNotExecutable
	}
	return s.failed(err, code)
}

// failed prints why there is no exit code of the command, and returns another.
func (s streams) failed(err error, code int) error {
	fmt.Fprintln(s.err, "pinwatch:", oneLine(err))
	return status(code)
}

// interruptedError is a signal that came before the command began.
type interruptedError struct{ signal syscall.Signal }

func (e interruptedError) Error() string { return "interrupted by " + e.signal.String() }

// interrupted returns an error if a signal has come.
func interrupted(signals <-chan os.Signal) error {
	select {
	case sig := <-signals:
		return interruptedError{sig.(syscall.Signal)}
	default:
		return nil
	}
}

// relayed are the signals that are for the command.
var relayed = []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1,
	syscall.SIGUSR2}

// relay passes signals on to the command, but for those that a terminal sends: it sends them to the
// command as well, which is in pinwatch's process group.
func relay(signals <-chan os.Signal, child *launch.Child) {
	for sig := range signals {
		switch sig {
		case syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT:
			if inForeground() {
				continue
			}
		}
		_ = child.Signal(sig) // it may have ended
	}
}

// stopWith stops pinwatch when the command stops by itself, if the terminal is theirs: the shell gets it back,
// and its fg continues both. SIGTSTP stops nothing if no shell would (kernel/signal.c, get_signal).
func stopWith(child *launch.Child) {
	for child.AwaitStop() {
		if inForeground() {
			_ = unix.Kill(unix.Getpid(), unix.SIGTSTP) // one may always signal oneself
		}
	}
}

// inForeground reports whether the terminal sends its signals to pinwatch.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
