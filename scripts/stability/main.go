// Stability runs pinwatch verify five times alone and three times beside two CPU hogs, and reports
// for each statement whether the verdict was the same in all runs, inconclusive in some, or wrong:
// another conclusive one. It fails when one is wrong, or when a run alone left more than two
// inconclusive. A run takes a minute or two. Run it by make stability, from the top of the tree, as
// root, and but for the hogs with the machine for itself.
//
// The verdicts of each run are kept in .cache/stability, so that the parts (alone, beside, compare)
// can be run one at a time.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/scripts/measure"
	"github.com/pinwatch/pinwatch/scripts/results"
)

const (
	dir           = ".cache/stability"
	hogs          = 2
	verifyTimeout = 30 * time.Minute // for one run
)

func main() {
	parts := os.Args[1:]
	if len(parts) == 0 {
		parts = []string{"alone", "beside", "compare"}
	}
	for _, p := range parts {
		if !slices.Contains([]string{"alone", "beside", "compare"}, p) {
			fmt.Fprintln(os.Stderr, "usage: stability [alone] [beside] [compare]")
			os.Exit(2)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, p := range parts {
		if err := run(ctx, p); err != nil {
			fmt.Fprintln(os.Stderr, "stability:", err)
			os.Exit(1)
		}
	}
}

// runs are how often verify runs in each part.
var runs = map[string]int{"alone": 5, "beside": 3}

func run(ctx context.Context, part string) error {
	switch part {
	case "compare":
		return compareKept()
	case "beside":
		end, err := measure.StartHogs(hogs)
		if err != nil {
			return err
		}
		defer end()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := 1; i <= runs[part]; i++ {
		if err := verify(ctx, filepath.Join(dir, fmt.Sprintf("%s-%d.json", part, i))); err != nil {
			return err
		}
	}
	return nil
}

// verify writes one run's verdicts to out, whatever they are: verify exits with 3 or 4 when not all
// statements hold.
func verify(ctx context.Context, out string) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bin/pinwatch", "verify", "-o", "json", "--out", out)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute // for the experiment that runs to end
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && (exit.ExitCode() == 3 || exit.ExitCode() == 4) {
		return nil
	}
	return err
}

// compareKept compares the runs that are kept.
func compareKept() error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	var c comparison
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		v, err := results.Decode(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := filepath.Base(file)
		c.add(name[:len(name)-len(".json")], v)
	}
	return c.report(os.Stdout)
}
