// Gomatrix builds one workload with every supported release of Go in several forms, lets pinwatch observe each, and holds the
// report against the workload's own account, thread by thread. Run it through scripts/go-matrix, from the top of the tree.
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
	flag.BoolVar(&o.verify, "verify", false, "hold the statements of the specification against six releases and put the verdicts into docs/results.md; --run chooses releases")
	flag.StringVar(&o.only, "only", "", "with --verify: these statements, comma-separated, and write nothing")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	o.strict = os.Getenv("CI") == "true" // what continuous integration leaves out, nobody tests
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := matrix
	if o.verify {
		run = verifyMatrix
	}
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "go-matrix:", err)
		os.Exit(1)
	}
}

// errFailed ends a matrix whose rows have already said what is wrong.
var errFailed = errors.New("failed")

// matrix prints the rows to stdout and the progress to stderr.
func matrix(ctx context.Context, o options, stdout, stderr io.Writer) error {
	builds, err := selectBuilds(o)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "go-matrix-*")
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
	if !passed || len(rows) < len(builds) {
		return errFailed
	}
	return nil
}

// attempts is how often a build is observed when records get lost, as they do on a machine that is busy with something else.
const attempts = 3

// observe fills in what came of the row's build. A lossy run proves nothing but what it has wrong.
func (r *row) observe(ctx context.Context, pinwatch string) {
	for range attempts {
		var account *workload.Account
		if account, r.report, r.err = observe(ctx, pinwatch, r.build.path); r.err != nil {
			return
		}
		r.problems = compare(account, r.report)
		if !r.report.lossy() || r.mislabels() > 0 {
			return
		}
	}
}

// selectBuilds lists the rows that the options ask for.
func selectBuilds(o options) (builds []*build, err error) {
	re, err := regexp.Compile(o.run)
	if err != nil {
		return nil, fmt.Errorf("--run: %w", err)
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
		return nil, fmt.Errorf("--run %q matches no row of the matrix", o.run)
	}
	return builds, nil
}
