package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/scripts/packages"
)

// interruptGrace is how long go test may take to end its tests after an interrupt.
const interruptGrace = 10 * time.Second

// flags of every go test:
//
//	-count=1   a result from another kernel or another user's privileges is worth nothing
//	-pgo=off   with cmd/pinwatch's profile, every dependency of its tests would be compiled once more
//	-vet=off   make lint vets, and here the standard library's facts would be computed twice
var flags = []string{"-json", "-count=1", "-pgo=off", "-vet=off", "-timeout", "10m"}

// run runs everything once and prints to w. extra is passed to every go test.
func run(ctx context.Context, w io.Writer, extra []string) *results {
	r := &results{w: w}
	dir, err := os.MkdirTemp("", "pinwatch-test-*")
	if err != nil {
		r.fail("temporary directory", err)
		return r
	}
	defer os.RemoveAll(dir)
	// One workload for all packages; each would build its own.
	program := filepath.Join(dir, "workload")
	build := command(ctx, "go", "build", "-o", program, "./internal/workload/cmd/workload")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		r.fail("build the workload", fmt.Errorf("%w\n%s", err, out))
		return r
	}
	r.env = append(os.Environ(), "PINWATCH_WORKLOAD="+program)
	all, err := packages.List(ctx)
	if err != nil {
		r.fail("packages", err)
		return r
	}
	var pure, kernel, concurrent []string
	for _, p := range all {
		if p.Kernel {
			kernel = append(kernel, p.Path)
		} else {
			pure = append(pure, p.Path)
		}
		if p.Concurrent && !p.Loader { // the race detector slows a target down too much to judge its events
			concurrent = append(concurrent, p.Path)
		}
	}
	r.goTest(ctx, "packages whose tests count no kernel events, in parallel", extra, pure)
	r.goTest(ctx, "packages whose tests count kernel events, one at a time", append([]string{"-p=1"}, extra...), kernel)
	if canRace(ctx) {
		r.goTest(ctx, "race detector", append([]string{"-race", "-short"}, extra...), concurrent)
	} else {
		r.skip("race detector", "no C compiler")
	}
	r.goReleases(ctx, filepath.Join(dir, "pinwatch"))
	r.summarize()
	return r
}

// goReleases runs the short matrix of Go releases with this tree's pinwatch.
func (r *results) goReleases(ctx context.Context, pinwatch string) {
	const name = "gomatrix -short"
	fmt.Fprintln(r.w, "\nGo releases:")
	build := command(ctx, "go", "build", "-pgo=off", "-o", pinwatch, "./cmd/pinwatch")
	if out, err := build.CombinedOutput(); err != nil {
		r.fail(name, fmt.Errorf("build pinwatch: %w\n%s", err, out))
		return
	}
	if command(ctx, pinwatch, "doctor").Run() != nil {
		r.skip(name, "pinwatch cannot observe here; pinwatch doctor prints why")
		return
	}
	cmd := command(ctx, "go", "run", "./scripts/gomatrix", "-short", "-pinwatch", pinwatch)
	cmd.Stdout, cmd.Stderr = r.w, r.w
	if err := cmd.Run(); err != nil {
		r.fail(name, err)
		return
	}
	r.count(passed)
}

// command is a command that ctx interrupts, as Ctrl-C does, and kills when that does not end it.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptGrace
	return cmd
}

// canRace is whether the race detector can be linked here: it needs cgo and a C compiler.
func canRace(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED", "CC").Output()
	enabled, cc, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	_, missing := exec.LookPath(cc)
	return err == nil && enabled == "1" && missing == nil
}
