package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/launch"
)

// oneInterrupt: signals within this time count as one interrupt. timeout(1), for example, signals
// its child and then its group.
const oneInterrupt = 200 * time.Millisecond

// The process may be the one that executes the command of run.
func init() {
	if code, is := launch.Help(os.Args); is {
		os.Exit(code)
	}
}

func main() {
	// A closed stdout is an ordinary error, not a silent end.
	if runsProgram(os.Args) { // a command would inherit that a signal is ignored
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
		os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	signal.Ignore(syscall.SIGPIPE)
	if isWorkload(os.Args) { // before signal.Notify, which locks a goroutine: a workload has its own locks only
		os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, cancel := context.WithCancel(context.Background())
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupts
		cancel() // the observation ends and reports
		first := time.Now()
		for range interrupts {
			if time.Since(first) > oneInterrupt {
				break
			}
		}
		fmt.Fprintln(os.Stderr, "pinwatch: interrupted twice: left without a report")
		os.Exit(exitError)
	}()
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}
