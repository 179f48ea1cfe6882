package workload

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/trace"
	"time"
)

// Ready is the first line of a workload's output.
type Ready struct {
	Ready bool   `json:"ready"` // always true
	PID   int    `json:"pid"`   // in the workload's PID namespace, as every id it prints
	Name  string `json:"name"`
}

// Info describes a workload.
type Info struct {
	Name  string
	About string // one line
}

// program is a workload. build declares its flags and returns what sets it up once they are parsed; one that is a trial has
// trial instead.
type program struct {
	Info
	build func(*flag.FlagSet) func(*stage) error
	trial func(*flag.FlagSet) func(Self) (Result, error)
}

// programs lists the workloads in the order they are shown in.
func programs() []program {
	return []program{
		{Info: Info{"demo", "a bit of everything: locked hand-offs, a locked spinner, threads that die, garbage collection"}, build: demo},
		{Info: Info{"churn", "goroutines that exit while locked, each of which ends a thread"}, build: churn},
		{Info: Info{"pingpong", "pairs of locked goroutines that hand a token to and fro"}, build: pingpong},
		{Info: Info{"spinners", "locked tight loops that only a signal preempts, under garbage collection"}, build: spinners},
		{Info: Info{"threads", "many locked threads that take turns, so that all of them switch and migrate"}, build: threads},
		{Info: Info{"blocked", "locked threads in long system calls"}, build: blocked},
		{Info: Info{"burst", "many threads that begin at once and end at once, again and again"}, build: burst},
		{Info: Info{"leak", "locked goroutines that nobody wakes"}, build: leak},
		{Info: Info{"wedged", "a goroutine that exits while locked to the main thread, which stays parked for ever"}, build: wedged},
		{Info: Info{"perrequest", "goroutines that lock themselves for one request each"}, build: perrequest},
		{Info: Info{"storm", "stops of the world that interrupt tight loops by SIGURG, very often"}, build: storm},
		{Info: Info{"sharedcore", "a locked thread confined to a CPU where the runtime's other threads run too"}, build: sharedcore},
		{Info: Info{"surplus", "a burst of blocking system calls that leaves idle threads behind"}, build: surplus},
		{Info: Info{"depth", "goroutines locked at depths 1 to 5, which change by step"}, build: depth},
		{Info: Info{"dance", "short-lived goroutines that are locked to the same threads in turn"}, build: dance},
		{Info: Info{"matrix", "every state a thread's lock can be in, to be checked thread by thread"}, build: matrix},
		{Info: Info{"idle", "nothing at all"}, build: idle},
	}
}

// Mistake is an error of the one who set the flags: Main returns 2 for it.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// Names lists every workload that runs until it is told to stop, in the order to show them in.
func Names() []Info {
	var infos []Info
	for _, p := range programs() {
		infos = append(infos, p.Info)
	}
	return infos
}

// Trials lists every trial, in the order to show them in.
func Trials() []Info {
	var infos []Info
	for _, p := range trials() {
		infos = append(infos, p.Info)
	}
	return infos
}

// Main runs the workload that args[0] names with the flags that follow it, and returns the exit code of the process:
// 0 after a full account, 1 when its set-up or its output fails, 2 for a mistake in args. It is meant to be a whole
// process: threads that die take their share of the runtime's threads with them. more are workloads that the caller adds.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer, more ...Program) int {
	known := append(programs(), trials()...)
	for _, p := range more {
		known = append(known, p.inner())
	}
	if len(args) == 0 {
		usage(stderr, known)
		return 2
	}
	p, ok := find(known, args[0])
	if !ok {
		fmt.Fprintf(stderr, "no workload %q\n", args[0])
		usage(stderr, known)
		return 2
	}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	hold := flags.Bool("hold", false, "wait for the line \"go\" before the activity begins")
	traced := flags.String("trace", "", "write Go's execution trace to this file")
	var run func() error
	if p.trial != nil {
		run = performance(p, flags, hold, self(args, stderr), stdin, stdout)
	} else {
		run = play(p, flags, hold, stdin, stdout, stderr)
	}
	switch err := flags.Parse(args[1:]); {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "%s takes no arguments, only flags: %q\n", p.Name, flags.Args())
		return 2
	}

	stopTrace, err := startTrace(*traced)
	if err != nil {
		fmt.Fprintf(stderr, "-trace: %v\n", err)
		return 1
	}
	defer stopTrace()
	if err := run(); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		if _, ok := err.(Mistake); ok {
			return 2
		}
		return 1
	}
	return 0
}

// play returns what runs a workload that goes on until it is told to stop, once flags are parsed.
func play(p program, flags *flag.FlagSet, hold *bool, stdin io.Reader, stdout, stderr io.Writer) func() error {
	limit := flags.Duration("d", 0, "stop this long after the activity began; 0 = when told to")
	setup := p.build(flags)
	return func() error {
		if *limit < 0 {
			return Mistake(fmt.Sprintf("-d %v: a duration must not be negative", *limit))
		}
		s := newStage(p.Name)
		if err := setup(s); err != nil {
			return err
		}
		s.settled.Wait()
		return converse(s, *hold, *limit, stdin, stdout, stderr)
	}
}

// startTrace has the runtime trace itself into a file until stop; without a name it does nothing.
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

// converse obeys stdin until the workload is told to stop, its time is up or nobody reads it any more.
func converse(s *stage, hold bool, limit time.Duration, stdin io.Reader, stdout, stderr io.Writer) error {
	defer s.leave()
	out := json.NewEncoder(stdout)
	if err := out.Encode(Ready{Ready: true, PID: os.Getpid(), Name: s.name}); err != nil {
		return fmt.Errorf("print the ready line: %v", err)
	}
	print := func(account *Account, err error) error {
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
		if s.start() && limit > 0 {
			up = time.After(limit)
		}
	}
	if !hold {
		begin()
	}
	commands := lines(stdin)
	for {
		var line string
		select {
		case line = <-commands: // "" once stdin has ended
		case <-up:
			line = "stop"
		}
		switch line {
		case "go":
			begin()
		case "step":
			if s.step == nil || s.began == 0 || s.over() {
				fmt.Fprintf(stderr, "%s has no step to do now\n", s.name)
				continue
			}
			s.step()
			if err := print(s.account()); err != nil {
				return err
			}
		case "quiesce", "stop", "":
			if err := print(s.quiesce()); err != nil || line != "quiesce" {
				return err
			}
		default:
			fmt.Fprintf(stderr, "unknown command %q: want go, step, quiesce or stop\n", line)
		}
	}
}

// lines sends every line of r that is not empty and closes the channel where r ends.
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

func find(known []program, name string) (program, bool) {
	for _, p := range known {
		if p.Name == name {
			return p, true
		}
	}
	return program{}, false
}

func usage(w io.Writer, known []program) {
	fmt.Fprintln(w, "usage: workload NAME [flags]; NAME -h lists the flags of one")
	for _, p := range known {
		fmt.Fprintf(w, "  %-11s %s\n", p.Name, p.About)
	}
}
