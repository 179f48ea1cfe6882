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
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/nearest"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/catalog"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // it could not be done: no such process, no permission, kernel too old, …
	exitUsage = 2 // the command line makes no sense
	// A statement of the specification, a check of vet or a budget is broken, or --fail-on names a finding.
	exitContract     = 3
	exitInconclusive = 4 // there was too little evidence for a verdict or a budget, or --fail-on names losses
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

func versionCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:     "version",
		Usage:    "print the version and how it was built",
		Category: "this machine, this tool",
		Before:   noArguments,
		Action: func(*cli.Context) error {
			return writeVersion(s.out)
		},
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
	}
}

func writeVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "pinwatch %s %s %s/%s\n", versionString(), runtime.Version(), runtime.GOOS,
		runtime.GOARCH)
	return explainWrite(err)
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
	look     *look // of the text on them; set before a command acts
	args     []string
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
	app := newApp(streams{in: stdin, out: stdout, err: stderr, look: &look{}, args: args})
	err := app.RunContext(ctx, pidFirst(helpLast(args)))
	if err == nil {
		return exitOK
	}
	var code status
	switch {
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errReaderGone): // as other programs in front of head: nobody wants to read more
		return exitError
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
	app := &cli.App{
		Name:                 "pinwatch",
		Usage:                "what a Go process pays for its operating-system threads, seen from the kernel",
		Version:              versionString(),
		HideVersion:          true,
		EnableBashCompletion: true,
		HideHelpCommand:      true,
		Reader:               s.in,
		Writer:               s.out,
		ErrWriter:            s.err,
		ExitErrHandler:       func(*cli.Context, error) {}, // run returns the exit code
		OnUsageError:         onUsageError,
		CommandNotFound:      nil,
		Flags:                []cli.Flag{&cli.BoolFlag{Name: "version", Usage: "print the version and how it was built"}},
		Action:               func(c *cli.Context) error { return noCommand(c, s) },
		Description: `Examples:
  pinwatch demo                                the whole tool on a built-in workload
  sudo pinwatch attach -p 4242 -d 10           observe process 4242 for ten seconds
  sudo pinwatch attach -p 4242 -d 10 -v        the same, and every number of it
  sudo pinwatch run -- ./server                start a program and observe it from its first instruction
  sudo pinwatch attach -p 4242 -i 1            a line per second until Ctrl-C, then the report
  sudo pinwatch attach -p 4242 -d 1m -o json --out report.json
  pinwatch threads -p 4242                     its threads now: who holds them, in which call, locked by whom
  sudo pinwatch check -- ./bench               keep what pinwatch.yaml promises, in CI
  sudo pinwatch verify                         test the specification on this machine, statement by statement
  pinwatch compare old/ new/                   did it get dearer? reports of runs before and after a change
  pinwatch explain thread-surplus              a finding: what happens, an example, when to ignore it
  pinwatch explain p99                         a word of the report
  pinwatch vet ./...                           mistakes in Go source that pins threads
  pinwatch doctor                              what this machine allows

docs/reading-the-report.md explains each number.

Exit codes: 0 done, 1 error, 2 usage, 3 vet found a mistake, verify found a statement refuted or out of
range, attach found what --fail-on names, or check a budget that is broken, 4 verify could not decide a
statement or check a budget, attach lost records (--fail-on loss), or compare had too few runs.`,
		Commands: []*cli.Command{
			attachCommand(s),
			runCommand(s),
			checkCommand(s),
			threadsCommand(s),
			demoCommand(s),
			compareCommand(s),
			verifyCommand(s),
			explainCommand(s),
			vetCommand(s),
			doctorCommand(s),
			versionCommand(s),
			completionCommand(s),
			manCommand(s),
		},
	}
	for _, c := range app.Commands {
		if slices.Contains([]string{"attach", runName, checkName, "threads", "demo", "compare", "verify", "explain"},
			c.Name) {
			c.Flags = append(c.Flags, lookFlags()...)
			before := c.Before
			c.Before = func(c *cli.Context) (err error) {
				if *s.look, err = parseLook(c); err != nil || before == nil {
					return err
				}
				return before(c)
			}
		}
	}
	return app
}

// onUsageError adds the nearest flag where there is none of a name.
func onUsageError(c *cli.Context, err error, _ bool) error {
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return usageError{fmt.Errorf("%w; see pinwatch --help", err)}
	}
	typed := "--" + strings.TrimLeft(name, "-")
	if name = strings.TrimLeft(name, "-"); len(name) == 1 {
		typed = "-" + name
	}
	var names []string
	for _, f := range c.Command.Flags {
		for _, n := range f.Names() {
			if len(n) > 1 { // one letter is as near to any other
				names = append(names, n)
			}
		}
	}
	if near := nearest.Names(name, names, 1); len(near) > 0 {
		return usagef("no flag %s; did you mean --%s?", typed, near[0])
	}
	return usagef("no flag %s; see pinwatch %s--help", typed, within(c))
}

func noCommand(c *cli.Context, s streams) error {
	switch {
	case c.Bool("version"):
		return writeVersion(s.out)
	case c.NArg() == 0:
		return cli.ShowAppHelp(c)
	}
	var names []string
	for _, command := range c.App.VisibleCommands() {
		names = append(names, command.Name)
	}
	return usagef("no command %q; %s", c.Args().First(),
		meant(c.Args().First(), names, 1, "pinwatch --help lists all"))
}

// within is the name of the command that a flag was given to, for its help.
func within(c *cli.Context) string {
	if c.Command.Name == c.App.Name {
		return ""
	}
	return c.Command.Name + " "
}

// helpLast turns "help COMMAND" into "COMMAND --help".
func helpLast(args []string) []string {
	if len(args) < 2 || args[1] != "help" {
		return args
	}
	return slices.Concat(args[:1], args[2:min(len(args), 3)], []string{"--help"})
}

// pidFirst turns the process in attach 4242 -d 5 into a flag: flags behind an argument are not parsed.
func pidFirst(args []string) []string {
	if len(args) < 3 || args[1] != "attach" && args[1] != "threads" || args[2] == "" ||
		strings.Trim(args[2], "0123456789") != "" {
		return args
	}
	return slices.Insert(slices.Clone(args), 2, "-p")
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
	if c.NArg() == 1 && !c.IsSet("pid") { // attach -d 5 4242
		return c.Set("pid", c.Args().First())
	}
	for _, pid := range append(c.StringSlice("pid"), c.String("pid")) {
		if strings.HasPrefix(pid, "-") { // before the remaining arguments are refused
			return usagef("-p %s: want a PID; does pidof find the process?", pid)
		}
	}
	if c.NArg() > 0 {
		return usagef("%s takes one PID, and flags before any other word; what is %q?", c.Command.Name, c.Args().Slice())
	}
	return noArguments(c)
}
