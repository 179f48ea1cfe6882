// Gomatrix builds workloads with every supported release of Go, from 1.13 on, plain, stripped, as
// PIE and with cgo. pinwatch observes one and lists the threads of another, and both are compared
// with the workload's account, thread by thread: locks, and what holds each thread. It prints one
// row per build, e.g. 1.21.13/stripped; one that does not agree fails the matrix. Then it runs the
// tests of internal/goruntime, which reads memory, on programs of every release. -short is three
// releases, plain and stripped, without those tests. Go releases are fetched as modules, so once.
// Run it by make gomatrix, as root.
//
// With -verify it runs pinwatch verify on workloads built by eight releases instead, half an hour on a
// quiet machine, and writes the verdicts into docs/results.md; with -only it runs some statements
// and prints their verdicts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
)

type options struct {
	short    bool
	run      string
	pinwatch string
	verify   bool
	only     string
	strict   bool
}

func main() {
	var o options
	flag.BoolVar(&o.short, "short", false, "three releases, each plain and stripped")
	flag.StringVar(&o.run, "run", "", "only rows, such as 1.21.13/stripped, that match this regular expression")
	flag.StringVar(&o.pinwatch, "pinwatch", "bin/pinwatch", "the pinwatch to test")
	flag.BoolVar(&o.verify, "verify", false,
		"compare the statements of the specification with eight releases, into docs/results.md; -run chooses releases")
	flag.StringVar(&o.only, "only", "", "with -verify: these statements, comma-separated, and write nothing")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	o.strict = os.Getenv("CI") == "true" // a build that continuous integration leaves out is never tested
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := matrix
	if o.verify {
		run = verifyMatrix
	}
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "gomatrix:", err)
		os.Exit(1)
	}
}

// errFailed ends a matrix whose output has already named what failed.
var errFailed = errors.New("failed")

// matrix prints the rows to stdout and the progress to stderr.
func matrix(ctx context.Context, o options, stdout, stderr io.Writer) error {
	builds, err := selectBuilds(o)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pinwatch-gomatrix-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	begin := time.Now()
	buildAll(dir, builds)
	fmt.Fprintf(stderr, "%d builds in %.0f s\n", len(builds), time.Since(begin).Seconds())

	var rows []*row
	passed := true
	for _, b := range builds { // one at a time: they would disturb each other
		r := &row{build: b, err: b.err}
		if b.err == nil {
			r.observe(ctx, o.pinwatch)
		}
		fmt.Fprintf(stderr, "%s: %s\n", b.name(), r.verdict())
		passed = passed && r.passed(o.strict)
		rows = append(rows, r)
		if ctx.Err() != nil {
			break
		}
	}
	printRows(stdout, rows)
	fmt.Fprintf(stdout, "\n%d of %d builds in %.0f s\n", len(rows), len(builds), time.Since(begin).Seconds())
	if !o.short && ctx.Err() == nil {
		if err := readers(ctx, releasesOf(builds), stdout, stderr); err != nil {
			return err
		}
	}
	if !passed || len(rows) < len(builds) {
		return errFailed
	}
	return nil
}

// attempts is how often a build is observed when something is missing, as on a busy machine: records
// get lost, and a thread that has just begun has no M until it gets a CPU.
const attempts = 3

// observe observes the row's build. A run in which something is missing proves only what it has wrong.
func (r *row) observe(ctx context.Context, pinwatch string) {
	for range attempts {
		var account *workload.Account
		if account, r.report, r.err = observe(ctx, pinwatch, r.build.path); r.err != nil {
			return
		}
		r.problems = compare(account, r.report)
		if len(r.problems) == 0 || r.mislabels() > 0 {
			break
		}
	}
	account, l, err := list(ctx, pinwatch, r.build.path, r.build.form.held)
	if err != nil {
		r.err = err
		return
	}
	r.problems = append(r.problems, compareHeld(account, l)...)
}

// releasesOf lists the releases of builds, in their order.
func releasesOf(builds []*build) (list []string) {
	for _, b := range builds {
		if !slices.Contains(list, b.release) {
			list = append(list, b.release)
		}
	}
	return list
}

// selectBuilds lists the rows that the options ask for.
func selectBuilds(o options) (builds []*build, err error) {
	re, err := regexp.Compile(o.run)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	for _, release := range releases {
		for _, f := range forms {
			if o.short && !(slices.Contains(shortReleases, release) && slices.Contains(shortForms, f.name)) {
				continue
			}
			if b := (&build{release: release, form: f}); re.MatchString(b.name()) {
				builds = append(builds, b)
			}
		}
	}
	if len(builds) == 0 {
		return nil, fmt.Errorf("-run %q matches no row of the matrix", o.run)
	}
	return builds, nil
}
