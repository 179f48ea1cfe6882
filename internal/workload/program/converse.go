package program

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Declare declares the program's flags. The function that it returns runs the program until it is
// stopped.
func (p Program) Declare(flags *flag.FlagSet, hold *bool, lines func() <-chan string,
	stdout, stderr io.Writer) func() error {
	limit := flags.Duration("d", 0, "stop this long after the activity began; 0 = at the line stop")
	lock := probe.LockFlags(flags)
	setup := p.Build(flags)
	return func() error {
		if *limit < 0 {
			return workload.Mistake(fmt.Sprintf("-d %v: a duration must not be negative", *limit))
		}
		w := newWorkload(p.Name, lock)
		if err := setup(w); err != nil {
			return err
		}
		w.settled.Wait()
		return w.converse(*hold, *limit, lines, stdout, stderr)
	}
}

// converse obeys the lines of stdin until one stops the workload, its time is up or stdout fails.
func (w *Workload) converse(hold bool, limit time.Duration, lines func() <-chan string,
	stdout, stderr io.Writer) error {
	defer w.release()
	out := json.NewEncoder(stdout)
	if err := out.Encode(workload.Ready{Ready: true, PID: os.Getpid(), Name: w.name}); err != nil {
		return fmt.Errorf("print the ready line: %v", err)
	}
	print := func(account *workload.Account, err error) error {
		if err == nil {
			err = out.Encode(account)
		}
		if err != nil {
			return fmt.Errorf("print the account: %v", err)
		}
		return nil
	}
	var up <-chan time.Time
	begin := func() {
		if w.begin() && limit > 0 {
			up = time.After(limit)
		}
	}
	if !hold {
		begin()
	}
	commands := lines()
	for {
		var line string
		select {
		case line = <-commands: // "" once stdin has ended
		case <-up:
			line = workload.Stop
		}
		switch line {
		case workload.Go:
			begin()
		case workload.Step:
			if w.step == nil || w.began == 0 || w.isOver() {
				fmt.Fprintf(stderr, "%s has no step to do now\n", w.name)
				continue
			}
			w.step()
			if err := print(w.account()); err != nil {
				return err
			}
		case workload.Quiesce, workload.Stop, "":
			if err := print(w.quiesce()); err != nil || line != workload.Quiesce {
				return err
			}
		default:
			fmt.Fprintf(stderr, "unknown command %q: want go, step, quiesce or stop\n", line)
		}
	}
}
