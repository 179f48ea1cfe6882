// Soak runs pinwatch on a workload of thread churn, garbage collection and hand-offs for an hour:
// one attachment that lasts, and others that attach and detach beside it. It prints a line per
// cycle and a row at the end, and fails when memory or file descriptors grow or when a BPF program,
// map or link stays in the kernel. Run it by make soak, as root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/leftover"
	"github.com/pinwatch/pinwatch/internal/workload/client"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

type options struct {
	duration, every time.Duration
	pinwatch, out   string
}

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", time.Hour, "how long")
	flag.DurationVar(&o.every, "every", 30*time.Second, "time from one attachment to the next; each lasts half of it")
	flag.StringVar(&o.pinwatch, "pinwatch", "bin/pinwatch", "the pinwatch to soak")
	flag.StringVar(&o.out, "out", "", "put the result between the markers soak:begin and soak:end of this document")
	flag.Parse()
	if flag.NArg() > 0 || o.every <= 0 || o.duration < o.every {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := soak(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak runs it all and prints a line per cycle and the result. An interrupt ends it early, with the
// result of the cycles so far.
func soak(ctx context.Context, o options) (err error) {
	if o.out != "" {
		if err := measure.CanReplace(o.out, "soak"); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	dir, err := os.MkdirTemp("", "pinwatch-soak-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.pinwatch, err = filepath.Abs(o.pinwatch); err != nil {
		return err
	}
	all := context.WithoutCancel(ctx) // an interrupt ends the cycles; the processes are then ended in order
	program, err := measure.BuildWorkload(all, dir)
	if err != nil {
		return err
	}
	start, err := leftover.All()
	if err != nil {
		return err
	}
	w, err := measure.StartWorkload(all, program, "demo") // churn, garbage collection, hand-offs
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.End()) }()
	r, err := observeLong(ctx, all, o, w, dir)
	if err != nil {
		return err
	}
	if r.account, err = w.Quiesce(); err != nil {
		return err
	}
	left, err := leftover.Remaining(start, leftGrace)
	if err != nil {
		return err
	}
	r.left = append(r.left, left...)
	fmt.Printf("\n%s", r.markdown())
	if o.out != "" {
		err = measure.Replace(o.out, "soak", r.markdown())
	}
	return errors.Join(err, r.verdict())
}

// observeLong keeps one pinwatch attached all the time, and runs the cycles beside it.
func observeLong(ctx, all context.Context, o options, w *client.Process, dir string) (*result, error) {
	ready, report := filepath.Join(dir, "ready"), filepath.Join(dir, "long.json")
	command := attachCommand(o.pinwatch, w.PID, report, "--ready-file", ready)
	long, err := measure.Observe(all, command, measure.FileThere(ready))
	if err != nil {
		return nil, err
	}
	r := &result{began: time.Now()}
	err = r.cycles(ctx, o, w.PID, long.PID, filepath.Join(dir, "cycle.json"))
	r.took = time.Since(r.began)
	if _, endErr := long.End(); err != nil || endErr != nil {
		return nil, errors.Join(err, endErr)
	}
	r.long, err = readReport(report)
	return r, err
}
