// Command pinwatch observes what a Go process pays for its operating-system threads.
//
// Every command is one file here: its flags, its help, and the calls that join other packages. What
// commands share is in options.go (flags of an observation), output.go (where reports go) and
// progress.go (the line on a terminal).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/catalog"
)

// Exit codes.
const (
	exitOK           = 0
	exitError        = 1 // it could not be done: no such process, no permission, kernel too old, …
	exitUsage        = 2 // the command line makes no sense
	exitContract     = 3 // a statement of the specification, or a line of its checklists, is broken
	exitInconclusive = 4 // there was too little evidence for a verdict
)

// version is set by the build (-ldflags "-X main.version=…"); a binary made by go install knows its
// module's.
var version string

func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// usageError is the caller's mistake.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// status is an exit code whose message has been printed already.
type status int

func (s status) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

// streams are the standard streams of one run.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// workloadCommand is the command by which pinwatch starts itself as the process to observe. It is
// not in the help.
const workloadCommand = workload.Command

func isWorkload(args []string) bool { return len(args) > 1 && args[1] == workloadCommand }

func runWorkload(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return catalog.Main(args, stdin, stdout, stderr)
}

// run is the whole program without its signal handling. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if isWorkload(args) { // a workload parses its flags itself
		return runWorkload(args[2:], stdin, stdout, stderr)
	}
	if asVettool(args) {
		return runVettool()
	}
	app := newApp(streams{stdin, stdout, stderr})
	err := app.RunContext(ctx, args)
	if err == nil {
		return exitOK
	}
	var code status
	if errors.As(err, &code) {
		return int(code)
	}
	fmt.Fprintln(stderr, "pinwatch:", oneLine(err))
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitError
}

// oneLine puts an error into one line for a terminal, however it was joined.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func newApp(s streams) *cli.App {
	return &cli.App{
		Name:                 "pinwatch",
		Usage:                "what a Go process pays for its operating-system threads, seen from the kernel",
		Version:              versionString(),
		HideVersion:          true,
		EnableBashCompletion: true,
		Suggest:              true,
		HideHelpCommand:      true,
		Reader:               s.in,
		Writer:               s.out,
		ErrWriter:            s.err,
		ExitErrHandler:       func(*cli.Context, error) {}, // run returns the exit code
		OnUsageError:         onUsageError,
		CommandNotFound:      nil,
		Action:               noCommand,
		Description: `Examples:
  pinwatch demo                                the whole tool on a built-in workload
  sudo pinwatch attach -p 4242 -d 10s          observe process 4242 for ten seconds
  sudo pinwatch attach -p 4242 -i 1s           a line per second until Ctrl-C, then the report
  sudo pinwatch attach -p 4242 -d 1m -o json --out report.json
  pinwatch threads -p 4242                     its threads now: who holds them, in which call, locked by whom
  sudo pinwatch verify                         test the specification on this machine, statement by statement
  pinwatch explain P-8                         one statement, how it is measured, and its last verdict
  pinwatch vet ./...                           mistakes in Go source that pins threads
  pinwatch doctor                              what this machine allows

P-8, P-9 and P-5 are statements of the LockOSThread performance specification: the cost of creating a
thread, of destroying one, and of preempting one by SIGURG. Rows marked with a star are compared with it.
docs/reading-the-report.md explains each number.

Exit codes: 0 done, 1 error, 2 usage, 3 vet found a mistake, or verify found a statement refuted or out
of range, 4 verify found neither, but inconclusive statements.`,
		Commands: []*cli.Command{
			attachCommand(s),
			threadsCommand(s),
			demoCommand(s),
			verifyCommand(s),
			explainCommand(s),
			vetCommand(s),
			doctorCommand(s),
			versionCommand(s),
			completionCommand(s),
		},
	}
}

func onUsageError(_ *cli.Context, err error, _ bool) error {
	return usageError{fmt.Errorf("%w; see pinwatch --help", err)}
}

func noCommand(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("no command %q; see pinwatch --help", c.Args().First())
	}
	return cli.ShowAppHelp(c)
}

// noArguments refuses arguments that a command would otherwise ignore.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("%s takes no arguments, only flags: %q", c.Command.Name, c.Args().Slice())
	}
	return nil
}

// onlyFlagsAndPID is noArguments for commands with -p. When pidof finds nothing, -p takes the next
// flag as its value.
func onlyFlagsAndPID(c *cli.Context) error {
	if pid := c.String("pid"); strings.HasPrefix(pid, "-") { // before the remaining arguments are refused
		return usagef("-p %s: want a PID; does pidof find the process?", pid)
	}
	return noArguments(c)
}
