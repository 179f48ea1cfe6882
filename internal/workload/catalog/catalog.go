// Package catalog lists every workload and is the main function of their processes.
//
// It keeps to Go 1.13, as all that is compiled into a workload.
package catalog

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/trace"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/program"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// Catalog is a list of workloads, in the order to show them in.
type Catalog struct {
	Programs []program.Program
	Trials   []trial.Trial
}

// All has every workload that needs no C.
func All() Catalog { return Catalog{Programs: program.All(), Trials: trial.All()} }

// Main is Catalog.Main of All.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return All().Main(args, stdin, stdout, stderr)
}

// Main runs the workload that args[0] names, with the flags that follow, and returns the exit code
// of the process: 0 after a full account, 1 when the set-up or the output fails, 2 for a mistake in
// args. It must be a whole process: threads that end take other state of the runtime with them.
func (c Catalog) Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		c.usage(stderr)
		return 2
	}
	declare := c.find(args, stdin, stdout, stderr)
	if declare == nil {
		fmt.Fprintf(stderr, "no workload %q\n", args[0])
		c.usage(stderr)
		return 2
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	hold := flags.Bool("hold", false, "wait for the line \"go\" before the activity begins")
	traced := flags.String("trace", "", "write Go's execution trace to this file")
	run := declare(flags, hold)
	switch err := flags.Parse(args[1:]); {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "%s takes no arguments, only flags: %q\n", args[0], flags.Args())
		return 2
	}

	stopTrace, err := startTrace(*traced)
	if err != nil {
		fmt.Fprintf(stderr, "-trace: %v\n", err)
		return 1
	}
	defer stopTrace()
	if err := run(); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", args[0], err)
		if _, ok := err.(workload.Mistake); ok {
			return 2
		}
		return 1
	}
	return 0
}

// declarer declares the flags of a workload. The function that it returns runs the workload.
type declarer func(flags *flag.FlagSet, hold *bool) (run func() error)

// find returns the declarer of the workload that args[0] names, nil if there is no such workload.
func (c Catalog) find(args []string, stdin io.Reader, stdout, stderr io.Writer) declarer {
	read := func() <-chan string { return lines(stdin) }
	for _, p := range c.Programs {
		if p.Name == args[0] {
			return func(flags *flag.FlagSet, hold *bool) func() error {
				return p.Declare(flags, hold, read, stdout, stderr)
			}
		}
	}
	for _, t := range c.Trials {
		if t.Name == args[0] {
			return func(flags *flag.FlagSet, hold *bool) func() error {
				return t.Declare(flags, hold, trial.NewSelf(args, stdout, stderr), read)
			}
		}
	}
	return nil
}

// startTrace has the runtime trace itself into a file until stop. Without a name it does nothing.
func startTrace(name string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := trace.Start(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		trace.Stop()
		f.Close()
	}, nil
}

// lines sends every line of r that is not empty and closes the channel at the end of r.
func lines(r io.Reader) <-chan string {
	c := make(chan string)
	go func() {
		defer close(c)
		for sc := bufio.NewScanner(r); sc.Scan(); {
			if sc.Text() != "" {
				c <- sc.Text()
			}
		}
	}()
	return c
}

func (c Catalog) usage(w io.Writer) {
	fmt.Fprintln(w, "usage: workload NAME [flags]; NAME -h lists the flags of one")
	show := func(i workload.Info) { fmt.Fprintf(w, "  %-11s %s\n", i.Name, i.About) }
	for _, p := range c.Programs {
		show(p.Info)
	}
	for _, t := range c.Trials {
		show(t.Info)
	}
}
