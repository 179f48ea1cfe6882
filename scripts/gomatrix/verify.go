package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/internal/workbuild"
	"github.com/pinwatch/pinwatch/scripts/results"
)

// block of docs/results.md that this matrix fills.
const block = "go"

// interruptGrace is how long pinwatch may take to end after an interrupt.
const interruptGrace = 30 * time.Second

// verifyMatrix runs pinwatch verify on each release and keeps the verdicts, release by release. A
// release without verdicts does not stop the others, but fails the matrix.
func verifyMatrix(ctx context.Context, o options, stdout, stderr io.Writer) error {
	picked, err := selectVerified(o.run)
	if err != nil {
		return err
	}
	if o.only == "" {
		if err := results.CanKeep(block); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "pinwatch-gomatrix-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var summaries []results.Summary
	passed := true
	for _, release := range picked {
		begun := time.Now()
		v, err := verifyRelease(ctx, o, release, filepath.Join(dir, release+".json"), stderr)
		if err == nil && o.only == "" {
			err = keep(release, v)
		}
		if err != nil {
			fmt.Fprintf(stderr, "%s: FAILED: %v\n", release, err)
			passed = false
			if ctx.Err() != nil {
				break
			}
			continue
		}
		fmt.Fprintf(stderr, "%s: done in %.0f s\n", release, time.Since(begun).Seconds())
		summaries = append(summaries, results.Summarize(column(release).Title, v))
	}
	fmt.Fprint(stdout, results.Overview(summaries))
	if !passed {
		return errFailed
	}
	return nil
}

// selectVerified lists the releases to verify that match the regular expression.
func selectVerified(run string) (picked []string, err error) {
	re, err := regexp.Compile(run)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	for _, release := range verified() {
		if re.MatchString(release) {
			picked = append(picked, release)
		}
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("-run %q matches none of the releases %v", run, verified())
	}
	return picked, nil
}

// verified are the releases of verifiedMinors.
func verified() (list []string) {
	for _, release := range releases {
		if minor, err := workbuild.Minor(release); err == nil && slices.Contains(verifiedMinors, minor) {
			list = append(list, release)
		}
	}
	return list
}

// column is the release's column of the tables. Its files are named for the minor release: a newer
// patch takes the place of an older one.
func column(release string) results.Column {
	minor, _ := workbuild.Minor(release) // it is in releases
	return results.Column{Key: fmt.Sprintf("go1.%d", minor), Title: "Go " + release}
}

// keep writes a release's verdicts and the tables.
func keep(release string, v *results.Verdicts) error {
	c := column(release)
	if err := results.Keep(c, c.Title, "pinwatch verify --go go"+release, v); err != nil {
		return err
	}
	var columns []results.Column
	for _, r := range verified() {
		columns = append(columns, column(r))
	}
	return errors.Join(results.Show(block, columns), results.ShowFolklore(columns))
}

// verifyRelease runs pinwatch verify on workloads built by the release, and writes its verdicts to
// file.
func verifyRelease(ctx context.Context, o options, release, file string, stderr io.Writer) (*results.Verdicts, error) {
	args := []string{"verify", "--go", "go" + release, "-o", "json", "--out", file}
	if o.only != "" {
		args = append(args, "--only", o.only)
	}
	cmd := exec.CommandContext(ctx, o.pinwatch, args...)
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, interruptGrace
	cmd.Stderr = stderr
	var exit *exec.ExitError
	err := cmd.Run()
	isResult := errors.As(err, &exit) && (exit.ExitCode() == exitContract || exit.ExitCode() == exitInconclusive)
	if err != nil && !isResult {
		return nil, fmt.Errorf("pinwatch verify: %w", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	v, err := results.Decode(b)
	if err == nil && v.Interrupted {
		err = errors.New("interrupted: its verdicts are not kept")
	}
	return v, err
}

// Exit codes of pinwatch verify whose verdicts are results: refuted or out of range, and
// inconclusive.
const (
	exitContract     = 3
	exitInconclusive = 4
)
