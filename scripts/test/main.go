// Test runs every test of this repository: go test over all packages, the packages with goroutines
// once more under the race detector, and the short matrix of Go releases. It prints a line per
// package, the output of failed tests, and at the end every test that was skipped or not judged,
// with the reason. Run it by make test, from the top of the tree.
//
// With -repeat N it does so N times alone and N times beside two CPU hogs, and prints a row per
// test that ever failed. Arguments after the flags are passed to go test, e.g. -- -run TestDemo.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	repeat := flag.Int("repeat", 0, "run `N` times alone and N times beside two CPU hogs, and compare")
	slowest := flag.Int("slowest", 0, "list the `N` slowest tests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := errFailed
	if *repeat > 0 {
		err = repeated(ctx, *repeat, flag.Args())
	} else if r := run(ctx, os.Stdout, flag.Args()); r.passed() {
		err = nil
		r.printSlowest(os.Stdout, *slowest)
	} else {
		r.printSlowest(os.Stdout, *slowest)
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(1)
	}
}

// errFailed ends a run whose output has already named what failed.
var errFailed = errors.New("failed")
