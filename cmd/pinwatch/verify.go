package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/verify"
)

func verifyCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:     "verify",
		Usage:    "test every statement of the specification on this kernel, with a release of Go",
		Category: "the specification",
		Description: `It starts workloads with known truth, observes them, and prints a verdict on each statement,
with its evidence and the command that reproduces it alone. It takes less than three minutes. When it is
interrupted, it prints the verdicts that it has reached.

Examples:
  sudo pinwatch verify
  sudo pinwatch verify --only P-5,G-4
  sudo pinwatch verify --only P-9 -v                all that a reader needs who cites the verdict
  sudo pinwatch verify --go go1.16.15,go1.21.13     workloads built by these releases, fetched as Go modules
  sudo pinwatch verify --goroot ~/goroot            workloads built by a Go tree, such as a release candidate
  sudo GODEBUG=gcstoptheworld=1 pinwatch verify --env GODEBUG
  sudo pinwatch verify -o html --out verdicts.html
  sudo pinwatch verify -o baseline --out baseline.json
  sudo pinwatch verify --expect baseline.json       for CI: fails where a verdict has changed, and only there

Without privileges, statements that need kernel events are not testable; all others are tested.

The workloads do not get the variables of the environment that change what Go does (GODEBUG, GOGC,
GOMAXPROCS and all others that begin with GO), but for those that --env names. They are printed at the top.

Exit codes: 3 some statements are refuted or out of range; 4 none is, but some are inconclusive; 0 neither
is so; 1 error; 2 usage.
With --expect: 3 where a verdict has changed, where more than --allow-inconclusive statements have become
inconclusive, where either side does not know a statement, and on another class of machine or release of
Go; 4 where none of that is so, but the run was interrupted; else 0. With -o junit they are failed tests.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "only", Usage: "these statements: `IDS`, comma-separated, such as P-5,G-4"},
			&cli.StringFlag{Name: "go",
				Usage: "build the workloads by these `RELEASES` of Go, comma-separated, such as go1.21.13"},
			&cli.StringFlag{Name: "goroot",
				Usage: "build the workloads by the Go tree in `DIR`, such as tip or a release candidate"},
			&cli.StringFlag{Name: "env",
				Usage: "hand these `VARIABLES` to the workloads, comma-separated, such as GODEBUG,GOMAXPROCS"},
			&cli.StringFlag{Name: "repeat", Value: "1",
				Usage: "do every experiment `N` times and judge by all the evidence"},
			&cli.StringFlag{Name: "cpus", Usage: "confine the workloads to these CPUs: `LIST`, such as 0,2-3"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Value: "text",
				Usage: "`FORMAT`: text, json, junit, markdown, html, or baseline: the verdicts alone, in JSON"},
			&cli.StringFlag{Name: "out",
				Usage: "write the verdicts to `FILE`; FILE.json, .xml (junit), .md, .html and .txt name the format"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"},
				Usage: "text: with the specification's words, intervals, sizes of effects and places in the runtime's source"},
			&cli.StringFlag{Name: "expect",
				Usage: "compare with the verdicts in `FILE`, an earlier -o baseline or json; fail where one changed"},
			&cli.StringFlag{Name: "allow-inconclusive", Value: "3",
				Usage: "with --expect: let `N` statements become inconclusive"},
			&cli.BoolFlag{Name: "allow-other-host", Usage: "with --expect: on another class of machine"},
			&cli.BoolFlag{Name: "allow-other-release", Usage: "with --expect: with another release of Go"},
		},
		Before:          noArguments,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			o, err := parseVerify(c)
			if err != nil {
				return err
			}
			return verifyAll(c.Context, s, o)
		},
	}
}

// verifyOptions are the command line of verify.
type verifyOptions struct {
	statements []contract.Statement
	releases   []string // without the go in front; nil = the built-in workloads
	goroot     string   // of a Go tree that builds the workloads; "" = none
	handed     []string // variables of the environment that the workloads get
	repeat     int
	cpus       []int // nil = any
	format     string
	verbose    bool // text: with all that a citation needs
	outFile    string
	expect     *report.Baseline // nil = no baseline
	allowed    report.Allowed
}

func parseVerify(c *cli.Context) (o verifyOptions, err error) {
	o.outFile, o.verbose = c.String("out"), c.Bool("verbose")
	o.format = formatOf(c, map[string]string{".json": "json", ".xml": "junit", ".md": "markdown", ".html": "html",
		".txt": "text"})
	if verdictWriters[o.format] == nil {
		return o, usagef("-o %s: no such format; it is text, json, junit, markdown, html or baseline", o.format)
	}
	if c.IsSet("out") && o.outFile == "" {
		return o, usagef("--out needs a file name")
	}
	o.statements = contract.Statements()
	if c.IsSet("only") {
		if o.statements, err = chosen(c.String("only")); err != nil {
			return o, err
		}
	}
	if o.repeat, err = strconv.Atoi(c.String("repeat")); err != nil || o.repeat < 1 || o.repeat > 1000 {
		return o, usagef("--repeat %s: want a number from 1 to 1000", strconv.Quote(c.String("repeat")))
	}
	if c.IsSet("go") {
		if o.releases, err = parseReleases(c.String("go")); err != nil {
			return o, err
		}
	}
	if c.IsSet("cpus") {
		if o.cpus, err = parseCPUs(c.String("cpus")); err != nil {
			return o, err
		}
	}
	if o.goroot, err = parseGoroot(c); err != nil {
		return o, err
	}
	if c.IsSet("env") {
		if o.handed, err = parseHanded(c.String("env")); err != nil {
			return o, err
		}
	}
	if o.allowed, err = parseAllowed(c); err != nil {
		return o, err
	}
	if c.IsSet("expect") {
		o.expect, err = readBaseline(c.String("expect"))
	}
	return o, err
}

// list splits at commas and drops empty parts.
func list(value string) []string {
	var parts []string
	for _, p := range strings.Split(value, ",") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

// chosen returns the statements of these ids, in the specification's order.
func chosen(ids string) ([]contract.Statement, error) {
	want := map[string]bool{}
	for _, id := range list(ids) {
		s, err := findStatement(id)
		if err != nil {
			return nil, err
		}
		want[s.ID] = true
	}
	if len(want) == 0 {
		return nil, usagef("--only needs ids of statements, for instance P-8")
	}
	unwanted := func(s contract.Statement) bool { return !want[s.ID] }
	return slices.DeleteFunc(slices.Clone(contract.Statements()), unwanted), nil
}

func parseReleases(value string) ([]string, error) {
	var releases []string
	for _, r := range list(value) {
		if _, ok := contract.Minor(r); !ok {
			return nil, usagef("--go %s: want a release such as go1.21.13", strconv.Quote(r))
		}
		releases = append(releases, strings.TrimPrefix(r, "go"))
	}
	if releases == nil {
		return nil, usagef("--go needs releases, for instance go1.21.13")
	}
	return releases, nil
}

// maxCPU is the last CPU of unix.CPUSet, to which the workloads are confined.
const maxCPU = 1023

// parseCPUs reads a list of CPUs as the kernel writes them: 0,2-3.
func parseCPUs(value string) ([]int, error) {
	parts := list(value)
	if parts == nil {
		return nil, usagef("--cpus needs numbers of CPUs, for instance 0,2-3")
	}
	cpus := procfs.ParseCPUs(strings.Join(parts, ","))
	if cpus == nil || slices.Max(cpus) > maxCPU {
		return nil, usagef("--cpus %s: want numbers of CPUs, for instance 0,2-3", strconv.Quote(value))
	}
	return cpus, usableCPUs(cpus, os.DirFS("/"))
}

// verifyAll reaches the verdicts for each release, writes them, and keeps them.
func verifyAll(ctx context.Context, s streams, o verifyOptions) (err error) {
	out, err := openOutput(s, options{format: o.format, outFile: o.outFile})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	out.text.Verbose = o.verbose
	releases := o.releases
	if releases == nil {
		releases = []string{""}
	}
	var all []*report.Verdicts
	var failed error
	for _, release := range releases {
		if ctx.Err() != nil {
			break
		}
		v, err := verifyRelease(ctx, s, o, release)
		if err != nil { // the other releases are still tested
			failed = errors.Join(failed, err)
			fmt.Fprintln(s.err, "pinwatch:", oneLine(err))
			continue
		}
		all = append(all, v)
	}
	var compared *report.Comparison
	if o.expect != nil {
		compared = o.expect.Compare(all, o.allowed)
	}
	if len(all) > 0 {
		if err := keepVerdicts(all); err != nil {
			fmt.Fprintln(s.err, "pinwatch: the verdicts are not kept for explain:", oneLine(err))
		}
		if err := explainWrite(verdictWriters[o.format](out.report, all, compared, out.text)); err != nil {
			return err
		}
		if o.format == "baseline" && !isCommit(versionString()) {
			fmt.Fprintf(s.err, "pinwatch: --expect will refuse this baseline: pinwatch %s is no commit\n", versionString())
		}
	}
	if failed != nil {
		return status(exitError) // printed already
	}
	if compared != nil {
		return compareVerdicts(s, o.expect, compared, all)
	}
	return verdictsExit(all)
}

// verdictsExit is the exit code of the verdicts: nil when all hold or are not testable.
func verdictsExit(all []*report.Verdicts) error {
	code := exitOK
	for _, v := range all {
		for _, row := range v.Verdicts {
			switch row.Verdict {
			case contract.Refuted, contract.OutOfRange:
				return status(exitContract)
			case contract.Inconclusive:
				code = exitInconclusive
			}
		}
	}
	if code == exitOK {
		return nil
	}
	return status(code)
}

// verifyRelease reaches the verdicts for one release of Go; "" means the built-in workloads.
func verifyRelease(ctx context.Context, s streams, o verifyOptions, release string) (*report.Verdicts, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start workloads: %w", err)
	}
	environ, given, cleared := verify.SplitSettings(os.Environ(), o.handed)
	lo := verify.Options{Builtin: []string{self, workloadCommand}, Release: release, Goroot: o.goroot, CPUs: o.cpus,
		Environ: environ}
	lab, remove, err := verify.NewLab(ctx, lo)
	if err != nil {
		return nil, err
	}
	defer remove()
	machine := host.Read(os.DirFS("/"))
	lab.Emulated = emulated[machine.Virtualization]
	plan := verify.Plan(o.statements)
	progress := newSteps(s, o.repeat*len(plan))
	evidence := contract.Evidence{GoVersion: lab.GoVersion}
	var runs []contract.Evidence
	for i := range o.repeat {
		var one contract.Evidence
		one, err = verify.Run(ctx, lab, plan, func(name string, k int) { progress.step(i*len(plan)+k, name) })
		runs = append(runs, one)
		evidence.Merge(one)
		if err != nil {
			break
		}
	}
	progress.done()
	evidence.Emulated = lab.Emulated
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	var outcomes []contract.Outcome
	unobserved := 0
	for _, st := range o.statements {
		out := judgeRuns(st, evidence, runs)
		outcomes = append(outcomes, out)
		if lab.Unobserved != "" && out.Why == lab.Unobserved {
			unobserved++
		}
	}
	if unobserved > 0 {
		fmt.Fprintf(s.err, "pinwatch: %d of %d not testable: %s\n", unobserved, len(outcomes), lab.Unobserved)
	}
	meta := report.VerdictsMeta{
		Version: versionString(), Host: machine, Finished: time.Now(), Interrupted: ctx.Err() != nil,
		Options: o.words(release), Settings: given, Cleared: cleared, Limits: host.ReadLimits(os.DirFS("/")),
	}
	if o.cpus != nil {
		meta.Limits.CPUs = o.cpus
	}
	meta.Sources, meta.Notes = cite(lo, lab.GoVersion, o.statements, given)
	return report.NewVerdicts(meta, outcomes, evidence), nil
}

// emulated are the machines whose CPUs are software, by host.Info.Virtualization.
var emulated = map[string]bool{"qemu": true, "bochs": true}

// verdictOrder is the order in which differing verdicts are listed.
var verdictOrder = []string{
	contract.Holds, contract.HoldsExcept, contract.Witnessed, contract.NotWitnessed, contract.Refuted,
	contract.OutOfRange, contract.Borderline, contract.Inconclusive, contract.NotTestable,
}

// judgeRuns judges by all runs together and adds a warning where a run alone gives another verdict.
func judgeRuns(st contract.Statement, all contract.Evidence, runs []contract.Evidence) contract.Outcome {
	o := st.Judge(all)
	if len(runs) > 1 {
		words := map[string]int{}
		for _, r := range runs {
			r.Emulated = all.Emulated
			words[st.Judge(r).Verdict]++
		}
		for _, w := range verdictOrder {
			if n := words[w]; n > 0 && w != o.Verdict {
				o.Warnings = append(o.Warnings,
					fmt.Sprintf("%d of %d runs alone: %s", n, len(runs), strings.ReplaceAll(w, "_", " ")))
			}
		}
	}
	return o
}
