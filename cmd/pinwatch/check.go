package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/budget"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

const checkName = "check"

// checkOptions say what is compared, and where the result goes.
type checkOptions struct {
	file   string // of the budgets
	init   bool   // make it
	format string // text, json, github
	out    string // file of the result; "" = the terminal
	junit  string // another file; "" = none
}

func checkCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      checkName,
		Usage:     "compare a report, a process or a command with the budgets in pinwatch.yaml",
		Category:  "observe",
		ArgsUsage: "[REPORT | -p PID | -- COMMAND [ARG]...]",
		Description: `REPORT is a file of -o json or -o ndjson, "-" standard input. A process is observed as by attach, a
command as by run. docs/check.md describes the budgets:

  P-8.total.p99: <= 80us           creating a thread, 99 of 100
  locked_threads: <= 8             any number of the report, by its name there
  threads_exited_locked: 0
  findings: {warn: 0}              none of that severity or above

A number that is not known, that lost records may have changed or that has too few samples never passes.

Examples:
  sudo pinwatch check --init -- ./bench                   write pinwatch.yaml: what this run took, with headroom
  sudo pinwatch check -- ./bench
  sudo pinwatch check -p 4242 -d 30 --junit check.xml
  pinwatch check --budget ci/threads.yaml report.json
  pinwatch check -o github report.json                    annotations and a step summary

Exit codes: 0 all budgets hold; 3 one is broken; 4 none is broken, and of one it can't be told; 1 an error;
2 wrong usage. With a command its own, where that is not 0, and 125 to 127 as by run.`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "budget", Aliases: []string{"b"}, Value: "pinwatch.yaml", Usage: "`FILE` of budgets"},
			&cli.BoolFlag{Name: "init", Usage: "make the file of budgets, which must not exist, from what is observed"},
			&cli.StringFlag{Name: "pid", Aliases: []string{"p"}, Usage: "observe the process `PID`"},
			&cli.StringFlag{Name: "duration", Aliases: []string{"d"},
				Usage: "observe for `TIME`, for instance 10 (seconds) or 5m (default: until Ctrl-C or the end)"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Value: "text",
				Usage: "`FORMAT`: text, json, or github: annotations, and a table for GITHUB_STEP_SUMMARY"},
			&cli.StringFlag{Name: "out", Usage: "write the result to `FILE` instead of the terminal"},
			&cli.StringFlag{Name: "junit", Usage: "also write JUnit XML to `FILE`"},
			userFlag(), offsetsFlag(), goVersionFlag(),
		}, followFlags(), slices.DeleteFunc(observeFlags(), func(f cli.Flag) bool {
			return slices.Contains([]string{"interval", "output", "out", "verbose", "time-unit", "fail-on"}, f.Names()[0])
		})),
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			k := checkOptions{file: c.String("budget"), init: c.Bool("init"), format: c.String("output"), out: c.String("out"),
				junit: c.String("junit")}
			switch {
			case !slices.Contains([]string{"text", "json", "github"}, k.format):
				return usagef("-o %s: no such format; it is text, json or github", k.format)
			case k.file == "":
				return usagef("--budget needs a file name")
			}
			return check(c, s, k)
		},
	}
}

// check compares what the command line names with budgets, whose file is read before anything is observed.
func check(c *cli.Context, s streams, k checkOptions) error {
	command := slices.Contains(s.args, "--")
	observes := command || c.IsSet("pid")
	if c.IsSet("pid") && c.NArg() > 0 || !observes && c.NArg() != 1 {
		return usagef("want one of: the file of a report, -p PID, -- COMMAND [ARG]...")
	}
	if command {
		s.out = s.err // standard output is the command's
	}
	b, err := k.prepare(s)
	if err != nil {
		return err
	}
	out, err := openOutput(s, options{format: "text", outFile: k.out})
	if err != nil {
		return err
	}
	conclude := func(subject *budget.Subject) error {
		if k.init {
			return k.write(s, subject)
		}
		return k.judge(s, out, b, subject)
	}
	if !observes {
		subject, err := readSubject(c.Args().First(), s.in)
		if err == nil {
			err = conclude(subject)
		}
		return errors.Join(err, out.close())
	}
	var subject *budget.Subject
	ended := observeFor(c, s, command, func(name string) sink {
		return func(r *report.Report, all *report.Summary) (err error) {
			if r != nil {
				subject, err = budget.OfReport(name, r)
			} else {
				subject, err = budget.OfSummary(name, all)
			}
			return err
		}
	})
	var verdict error
	if subject != nil && (ended == nil || !k.init) { // no budgets from a command that failed
		verdict = conclude(subject)
	}
	verdict = errors.Join(verdict, out.close())
	var code status
	switch {
	case ended != nil: // the command's exit code, or why nothing was observed
		return ended
	case command && verdict != nil && !errors.As(verdict, &code):
		return s.failed(verdict, exitRunFailed)
	}
	return verdict
}

// observeFor observes what the command line names, and hands the report to a sink.
func observeFor(c *cli.Context, s streams, command bool, to func(name string) sink) error {
	o := options{format: "text", quiet: c.Bool("quiet"), readyFile: c.String("ready-file")}
	if err := parseObservation(c, &o, ""); err != nil {
		return err
	}
	if !command {
		pid, err := parsePID(c.String("pid"))
		if err != nil {
			return err
		}
		o.observe.PID, o.sink = pid, to(fmt.Sprintf("process %d", pid))
		return attach(c.Context, s, o)
	}
	argv, who, g, err := parseRun(c, s, checkName)
	if err != nil {
		return err
	}
	o.sink = to(argv[0])
	return runProgram(c.Context, s, o, g, argv, who)
}

// prepare reads the file of budgets, or makes sure that there is none yet.
func (k *checkOptions) prepare(s streams) (*budget.Budget, error) {
	if k.init {
		_, err := os.Lstat(k.file)
		if err == nil {
			err = fmt.Errorf("%s exists: remove it, or name another with --budget", k.file)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("--init: %w", err)
		}
		return nil, nil
	}
	f, err := os.Open(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; pinwatch check --init makes one", err)
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, budget.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	b, err := budget.Parse(k.file, content)
	var mistakes budget.Errors
	if !errors.As(err, &mistakes) {
		return b, err
	}
	for _, m := range mistakes {
		fmt.Fprintln(s.err, m)
		if k.format == "github" {
			err := report.Annotation(s.out, "error", m.File, m.Line, m.Column, "pinwatch: no budget", m.Message)
			if err != nil {
				return nil, explainWrite(err)
			}
		}
	}
	return nil, status(exitError)
}

func readSubject(name string, stdin io.Reader) (*budget.Subject, error) {
	if name == "-" {
		return budget.ReadSubject("standard input", stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return budget.ReadSubject(name, f)
}

// write makes the file of budgets.
func (k *checkOptions) write(s streams, subject *budget.Subject) error {
	f, err := os.OpenFile(k.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("--init: %w", err)
	}
	if err := errors.Join(budget.Write(f, subject), f.Close()); err != nil {
		return fmt.Errorf("--init: %w", errors.Join(err, os.Remove(k.file)))
	}
	_, err = fmt.Fprintf(s.err, "pinwatch: wrote %s\n", k.file)
	return explainWrite(err)
}

// judge compares, writes the result and returns its exit code.
func (k *checkOptions) judge(s streams, out *output, b *budget.Budget, subject *budget.Subject) error {
	result := budget.Judge(b, subject, versionString())
	var err error
	switch k.format {
	case "json":
		err = report.WriteCheckJSON(out.report, result)
	case "github":
		err = report.WriteCheckAnnotations(out.report, result)
		if name := os.Getenv("GITHUB_STEP_SUMMARY"); name != "" {
			err = errors.Join(err, toFile("GITHUB_STEP_SUMMARY", name, os.O_APPEND, func(w io.Writer) error {
				return report.WriteCheckMarkdown(w, result)
			}))
		}
	default:
		err = text.WriteCheck(out.report, result, out.text)
	}
	if k.junit != "" {
		err = errors.Join(err, toFile("--junit", k.junit, os.O_TRUNC, func(w io.Writer) error {
			return report.WriteCheckJUnit(w, result)
		}))
	}
	switch {
	case err != nil:
		return explainWrite(err)
	case result.Verdict == report.BudgetBroken:
		return status(exitContract)
	case result.Verdict == report.BudgetUndecided:
		return status(exitInconclusive)
	}
	return nil
}

// toFile writes a file: what names it in an error.
func toFile(what, name string, flag int, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, 0o644)
	if err == nil {
		err = errors.Join(write(f), f.Close())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
