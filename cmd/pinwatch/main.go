package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameWish: a signal that comes this soon after another says nothing new. timeout(1) for one signals its child, then its group.
const sameWish = 200 * time.Millisecond

func main() {
	signal.Ignore(syscall.SIGPIPE) // a closed stdout is an error like another, not a silent death
	if isWorkload(os.Args) {       // before a signal is listened for, which locks a goroutine: a workload must be alone with its locks
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
			if time.Since(first) > sameWish {
				break
			}
		}
		fmt.Fprintln(os.Stderr, "pinwatch: interrupted twice: left without a report")
		os.Exit(exitError)
	}()
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}
