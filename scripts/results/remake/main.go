// Remake makes docs/results again, from a commit: the verdicts on each release of Go, on each kernel,
// the baseline, and the places in the runtime's source. It refuses a tree with changes, because
// nobody could build the same pinwatch again, and ends with an error when the columns were not all
// made by one build. Run it by make results, from the top of the tree, as root and with the machine
// for itself: it takes an hour. The parts (go, kernels, baseline, source) can be run one at a time.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/pinwatch/pinwatch/scripts/results"
)

// program is the pinwatch that reaches the verdicts.
const program = "bin/pinwatch"

const baseline = "docs/results/baseline.json"

var parts = []string{"go", "kernels", "baseline", "source"}

func main() {
	chosen := os.Args[1:]
	if len(chosen) == 0 {
		chosen = parts
	}
	for _, p := range chosen {
		if !slices.Contains(parts, p) {
			fmt.Fprintf(os.Stderr, "usage: remake [%s]\n", strings.Join(parts, "] ["))
			os.Exit(2)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := remake(ctx, chosen); err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
}

func remake(ctx context.Context, chosen []string) error {
	version := results.Version()
	if version == "devel" || strings.HasSuffix(version, "-dirty") {
		return fmt.Errorf("this tree is %s: commit its changes first", version)
	}
	build := []string{"go", "build", "-trimpath", "-ldflags", "-X main.version=" + version, "-o", program,
		"./cmd/pinwatch"}
	if err := run(ctx, nil, build...); err != nil {
		return err
	}
	for _, p := range chosen {
		if err := part(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	var all []results.Column
	for _, prefix := range []string{"go", "linux-"} {
		columns, err := results.Columns(prefix)
		if err != nil {
			return err
		}
		all = append(all, columns...)
	}
	return results.SameVersion(all)
}

func part(ctx context.Context, name string) error {
	switch name {
	case "go":
		return run(ctx, nil, "go", "run", "./scripts/gomatrix", "-verify", "-pinwatch", program)
	case "kernels":
		return run(ctx, nil, "go", "run", "./scripts/matrix", "-verify")
	case "baseline":
		return run(ctx, verdictCodes, program, "verify", "-o", "baseline", "--out", baseline)
	}
	return writeSource(ctx)
}

// verdictCodes are the exit codes of pinwatch verify that are verdicts: refuted or out of range, and
// inconclusive.
var verdictCodes = []int{3, 4}

// run runs a command; an exit code in fine is no error.
func run(ctx context.Context, fine []int, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && slices.Contains(fine, exit.ExitCode()) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}
