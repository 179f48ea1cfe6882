// Matrix boots pinwatch's kernel tests, its demo and its doctor on kernels from 5.10 to the newest
// under an emulator, two guests at a time, and prints one row per kernel. Guests judge counts,
// labels, loading and all else that does not depend on time. Kernels are kept in .cache/kernels, a
// guest's console in .cache/matrix/KERNEL.log. Run it by make matrix, from the top of the tree.
//
// With -verify it runs pinwatch verify in each guest instead, up to 18 minutes a pair, and writes
// the verdicts into docs/results.md; with -only it runs some statements and prints their verdicts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pinwatch/pinwatch/scripts/matrix/plan"
	"github.com/pinwatch/pinwatch/scripts/results"
)

// guestsAtOnce guests keep two CPUs busy: each emulates two on one thread.
const guestsAtOnce = 2

// What the matrix keeps, relative to the top of the tree.
const (
	kernelDir = ".cache/kernels"
	logDir    = ".cache/matrix"
)

func logPath(k kernel) string { return filepath.Join(logDir, k.name+".log") }

type options struct {
	arch     string
	kernels  string
	all      bool
	refresh  bool
	cmdline  string
	run      string
	packages string
	tests    string
	verify   bool
	only     string
	timeout  time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.arch, "arch", "amd64", "amd64 or arm64; with -verify, this machine's only")
	flag.StringVar(&o.kernels, "kernel", "",
		"only kernels whose row name matches this regular expression, or the `FILE` of a kernel's image")
	flag.BoolVar(&o.all, "all", false, "also the kernels between the long-term ones")
	flag.BoolVar(&o.refresh, "refresh", false, "fetch kernels again that are in the cache")
	flag.StringVar(&o.cmdline, "cmdline", "", "added to the guests' kernel command line, e.g. lockdown=confidentiality")
	flag.StringVar(&o.run, "run", "",
		"run this `COMMAND` instead, e.g. \"pinwatch doctor -o json\" or a static binary of this machine")
	flag.StringVar(&o.packages, "packages", "", "`PACKAGES` whose tests run (all that load BPF programs)")
	flag.StringVar(&o.tests, "tests", "", "only tests that match this `REGEX`")
	flag.BoolVar(&o.verify, "verify", false,
		"compare the statements of the specification with each kernel, into docs/results.md")
	flag.StringVar(&o.only, "only", "", "with -verify: these statements, comma-separated, and write nothing")
	flag.DurationVar(&o.timeout, "timeout", 25*time.Minute, "for one guest")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if o.verify {
		o.timeout = min(o.timeout, verifyGuest)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := matrix(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

// errFailed ends a matrix whose output has already named what failed.
var errFailed = errors.New("failed")

// matrix runs the guests, prints their rows to stdout and the progress to stderr.
func matrix(ctx context.Context, o options, stdout, stderr io.Writer) error {
	picked, err := selectKernels(o.arch, o.kernels, o.all)
	if err != nil {
		return err
	}
	if o.verify && o.kernels == "" && !o.all {
		picked = slices.DeleteFunc(picked, func(k kernel) bool { return !k.hasColumn() })
	}
	if o.verify && o.arch != runtime.GOARCH {
		return fmt.Errorf("-verify: one of its programs is linked with C, which is available for %s only", runtime.GOARCH)
	}
	if o.verify && o.only == "" {
		if err := results.CanKeep(block); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return err
	}
	initramfs, err := prepareImage(ctx, o)
	if err != nil {
		return err
	}

	ran := make([]result, len(picked))
	errs := make([]error, len(picked))
	slots := make(chan struct{}, guestsAtOnce)
	var guests sync.WaitGroup
	for _, i := range byLength(picked) {
		k := picked[i]
		slots <- struct{}{}
		guests.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			ran[i], errs[i] = runKernel(ctx, k, o, initramfs, logPath(k))
			fmt.Fprintf(stderr, "%s: done in %.0f s\n", k.name, time.Since(start).Seconds())
		})
	}
	guests.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if o.verify {
		return verdicts(stdout, picked, ran, o)
	}
	printRows(stdout, picked, ran)
	return verdict(stdout, picked, ran, o)
}

// prepareImage builds the guests' programs and returns the path of their root file system.
func prepareImage(ctx context.Context, o options) (string, error) {
	binaries, err := os.MkdirTemp("", "pinwatch-matrix-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(binaries)
	if o.arch == "arm64" {
		if err := exec.Command("scripts/setup", "matrix-arm64").Run(); err != nil {
			return "", fmt.Errorf("install the emulator: %w", err)
		}
	}
	initBinary, err := build(o.arch, binaries, "init", "build", "./scripts/matrix/init")
	if err != nil {
		return "", err
	}
	initBinary.name = "init"
	var files []guestFile
	var steps []plan.Step
	switch {
	case o.verify:
		files, steps, err = verification(ctx, binaries, o.only)
	case o.run != "":
		files, steps, err = single(ctx, o, binaries)
	default:
		files, steps, err = suite(ctx, o, binaries)
	}
	if err != nil {
		return "", err
	}
	out := filepath.Join(logDir, "initramfs.cpio")
	return out, writeInitramfs(out, append(files, initBinary), steps)
}

func runKernel(ctx context.Context, k kernel, o options, initramfs, log string) (result, error) {
	image, err := k.fetch(o.refresh)
	if err != nil {
		return result{}, err
	}
	if err := boot(ctx, k.arch, image, initramfs, k.commandLine(o), log, o.timeout); err != nil {
		return result{}, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return result{}, err
	}
	return parseLog(string(text)), nil
}
