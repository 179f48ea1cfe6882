// Package witness has observers of the kernel that share nothing with pinwatch: a trace buffer
// (StartTrace), perf (StartPerf) and bpftrace (StartSwitches, StartScript). Tests compare
// pinwatch's reports with what they recorded.
//
// Every time in this package is CLOCK_MONOTONIC in nanoseconds, as bpf_ktime_get_ns.
package witness

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Sizes of the trace buffer of each CPU: room for some 200,000 events, and with switches among them
// for four times as many.
const (
	traceBufferKiB  = 16 << 10
	switchBufferKiB = 4 * traceBufferKiB
)

// Trace is a separate trace buffer (a tracefs instance) that records events of the whole machine.
type Trace struct {
	t       testing.TB
	dir     string // of the instance; "" once it is removed
	release func() // of the file system that it is in
}

var instances atomic.Int64

// StartTrace records the events, each named as "sched/sched_process_exit", from its return until
// Stop. When the test ends, nothing of it is left in the kernel.
//
// It refuses sched/sched_switch: on some virtual machines the buffer silently drops what happens in
// the context of the idle task. StartSwitches records all switches.
func StartTrace(t testing.TB, events []string) *Trace {
	t.Helper()
	if slices.Contains(events, "sched/sched_switch") {
		t.Fatal("a trace buffer may silently miss switches: use StartSwitches")
	}
	return startTrace(t, "", traceBufferKiB, events)
}

// StartSchedTrace is StartTrace with the scheduler's events of threads named comm. The buffer has
// every switch-out of a thread. It may lack a switch-in or a waking from the context of the idle
// task, without any sign of that.
func StartSchedTrace(t testing.TB, comm string, events []string) *Trace {
	t.Helper()
	return startTrace(t, comm, switchBufferKiB, events)
}

func startTrace(t testing.TB, comm string, kib int, events []string) *Trace {
	t.Helper()
	testenv.Require(t, testenv.Tracefs)
	mount, release, err := testenv.MountTracefs()
	if err != nil {
		t.Fatal(err)
	}
	sweepInstances(mount)
	tr := &Trace{t: t, release: release}
	t.Cleanup(tr.remove)
	dir := fmt.Sprintf("%s/instances/pinwatch-%d-%d", mount, os.Getpid(), instances.Add(1))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatalf("make a trace instance: %v", err)
	}
	tr.dir = dir
	tr.set("tracing_on", "0")
	tr.set("trace_clock", "mono")
	tr.set("buffer_size_kb", strconv.Itoa(kib))
	for _, e := range events {
		if f := schedFilter(e, comm); f != "" {
			tr.set("events/"+e+"/filter", f)
		}
		tr.set("events/"+e+"/enable", "1")
	}
	tr.set("tracing_on", "1")
	return tr
}

// HasEvent reports whether the kernel has an event, named as for StartTrace.
func HasEvent(t testing.TB, event string) bool {
	t.Helper()
	mount, release, err := testenv.MountTracefs()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	_, err = os.Stat(mount + "/events/" + event)
	return err == nil
}

// Stop ends the recording, removes it from the kernel and returns the events by time. The test
// fails if one was lost.
func (tr *Trace) Stop() []TraceEvent {
	tr.t.Helper()
	tr.set("tracing_on", "0")
	if err := lossless(tr.dir); err != nil {
		tr.t.Fatalf("the trace is not complete: %v", err)
	}
	f, err := os.Open(tr.dir + "/trace")
	if err != nil {
		tr.t.Fatalf("read the trace: %v", err)
	}
	defer tr.remove()
	defer f.Close()
	events, err := parseTrace(bufio.NewScanner(f))
	if err != nil {
		tr.t.Fatalf("read the trace: %v", err)
	}
	return events
}

func (tr *Trace) set(file, value string) {
	tr.t.Helper()
	if err := os.WriteFile(filepath.Join(tr.dir, file), []byte(value), 0); err != nil {
		tr.t.Fatalf("set up the trace: %v", err)
	}
}

func (tr *Trace) remove() {
	if tr.release == nil {
		return
	}
	if tr.dir != "" {
		if err := unix.Rmdir(tr.dir); err != nil {
			tr.t.Errorf("remove the trace instance %s: %v", tr.dir, err)
		}
	}
	tr.release()
	tr.dir, tr.release = "", nil
}

// lossless returns an error when a CPU's buffer of the instance has lost or overwritten an event.
func lossless(dir string) error {
	files, err := filepath.Glob(dir + "/per_cpu/cpu*/stats")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("find the buffers' statistics: %w", errors.Join(err, fs.ErrNotExist))
	}
	for _, file := range files {
		stats, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := losses(string(stats)); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(filepath.Dir(file)), err)
		}
	}
	return nil
}

// losses reads per_cpu/cpuN/stats and returns an error unless each of its counters of loss is there
// and 0.
func losses(stats string) error {
	left := map[string]bool{"overrun": true, "commit overrun": true, "dropped events": true}
	for line := range strings.Lines(stats) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !left[name] {
			continue
		}
		if value != "0" {
			return fmt.Errorf("%s: %s", name, value)
		}
		delete(left, name)
	}
	if len(left) > 0 {
		return fmt.Errorf("%d counters missing in %q", len(left), stats)
	}
	return nil
}

// sweepInstances removes the instances of test processes that were killed. It leaves those that
// can't be removed.
func sweepInstances(mount string) {
	dirs, _ := filepath.Glob(mount + "/instances/pinwatch-*-*") // the pattern is well-formed
	for _, dir := range dirs {
		pid, err := strconv.Atoi(strings.Split(filepath.Base(dir), "-")[1])
		if err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = unix.Rmdir(dir)
		}
	}
}
