package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// oneInterrupt: signals within this time count as one interrupt. timeout(1), for example, signals
// its child and then its group.
const oneInterrupt = 200 * time.Millisecond

func main() {
	signal.Ignore(syscall.SIGPIPE) // a closed stdout is an ordinary error, not a silent end
	if isWorkload(os.Args) {       // before signal.Notify, which locks a goroutine: a workload has its own locks only
		os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	if runsProgram(os.Args) {
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
