package verify

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/exp/trace"

	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// executionTrace reads the execution traces of two workloads: one whose locked goroutines stay
// locked to their end, one with garbage collections.
func executionTrace(r *run) error {
	dir, err := os.MkdirTemp("", "pinwatch-trace-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var a trial.Migrate
	var b trial.GCPin
	threads, gc := filepath.Join(dir, "threads"), filepath.Join(dir, "gc")
	if err := r.trial(&a, "migrate", "-samples", "1000", "-trace", threads); err != nil {
		return err
	}
	if err := r.trial(&b, "gcpin", "-samples", "200", "-rounds", "2", "-trace", gc); err != nil {
		return err
	}
	for i, w := range r.Workloads {
		before, _, _ := strings.Cut(w, " "+dir)
		r.Workloads[i] = before + " FILE"
	}
	r.Source = "Go's execution trace, and the workload's account"
	kinds := map[trace.GoID]string{}
	for _, s := range a.Stretches {
		kinds[trace.GoID(s.GoID)] = "unlocked"
		if s.Locks > 0 {
			kinds[trace.GoID(s.GoID)] = "locked"
		}
	}
	for _, file := range []string{threads, gc} {
		if err := r.readTrace(file, kinds); err != nil {
			return fmt.Errorf("read the execution trace: %w", err)
		}
		kinds = nil // goroutine ids are of one process
	}
	return nil
}

// cgoTrace counts the calls of C in a trace: the runtime traces each as a system call of the
// goroutine that calls (runtime.cgocall, entersyscall).
func cgoTrace(r *run) error {
	program, err := r.withC()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pinwatch-trace-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "c")
	var a trial.CCalls
	if err := r.trialAs(program, nil, &a, "cgocalls", "-n", "2", "-batch", "50", "-long", "100",
		"-trace", file); err != nil {
		return err
	}
	r.Workloads = []string{"cgocalls -n 2 -batch 50 -long 100 -trace FILE"}
	r.Source = "Go's execution trace, and the workload's account"
	calls := 0
	for _, k := range a.Kinds {
		calls += k.Batch * (len(k.Locked) + len(k.Unlocked))
	}
	const mainGoroutine = 1 // which makes all the calls
	if err := r.readTrace(file, map[trace.GoID]string{mainGoroutine: "main"}); err != nil {
		return fmt.Errorf("read the execution trace: %w", err)
	}
	r.add("c_calls", int64(calls))
	r.add("c_calls_traced", min(int64(calls), r.Counts["main_calls"])) // the goroutine makes some system calls, too
	return nil
}

// readTrace counts the events of goroutines of each kind, and how often one was on another thread
// than before.
func (r *run) readTrace(name string, kinds map[trace.GoID]string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := namesThreads(f); err != nil {
		return err
	}
	events, err := trace.NewReader(f)
	if err != nil {
		return err
	}
	last := map[trace.GoID]trace.ThreadID{}
	for {
		e, err := events.ReadEvent()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.add("events", 1)
		switch e.Kind() {
		case trace.EventStateTransition:
			if t := e.StateTransition(); t.Resource.Kind == trace.ResourceGoroutine {
				if _, to := t.Goroutine(); to == trace.GoSyscall {
					r.add("syscall_events", 1)
					r.add(kinds[t.Resource.Goroutine()]+"_calls", 1)
				}
			}
		case trace.EventRangeBegin:
			if strings.HasPrefix(e.Range().Name, "GC ") {
				r.add("gc_events", 1)
			}
		}
		g, thread := e.Goroutine(), e.Thread()
		kind := kinds[g]
		if kind == "" || thread == trace.NoThread {
			continue
		}
		r.add(kind+"_events", 1)
		if before, seen := last[g]; seen && before != thread {
			r.add(kind+"_moves", 1)
		}
		last[g] = thread
	}
}

// namesThreads refuses traces of releases before Go 1.22. They name Ps, and threads only where a P
// starts to run.
func namesThreads(f *os.File) error {
	var minor int
	if _, err := fmt.Fscanf(f, "go 1.%d trace", &minor); err != nil {
		return fmt.Errorf("its header: %w", err)
	}
	if minor < 22 {
		return unableError(fmt.Sprintf("this release's execution trace (format go 1.%d) does not name the thread of "+
			"a goroutine", minor))
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}
