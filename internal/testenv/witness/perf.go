package witness

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Perf is a perf record of tracepoints on all CPUs, stamped with CLOCK_MONOTONIC.
type Perf struct {
	t        testing.TB
	cmd      *exec.Cmd
	file     string
	ctl, ack *os.File // perf record --control
	stderr   bytes.Buffer
	ended    bool
}

// StartPerf records the events, each named as "sched/sched_process_exit", from its return until
// Stop. It records the scheduler's events of threads named comm only. System calls are
// raw_syscalls/sys_enter and sys_exit; it records the calls in rawCalls and gives them StartTrace's
// names. It does not use syscalls/…, because a BPF program there may keep an event from perf. As
// StartTrace, it may miss events in the context of the idle task.
func StartPerf(t testing.TB, comm string, events []string) *Perf {
	t.Helper()
	testenv.Require(t, testenv.PerfRecord)
	p := &Perf{t: t, file: filepath.Join(t.TempDir(), "perf.data")}
	command, ctl, err := os.Pipe()
	if err != nil {
		t.Fatalf("start perf: %v", err)
	}
	ack, answer, err := os.Pipe()
	if err != nil {
		t.Fatalf("start perf: %v", err)
	}
	p.ctl, p.ack = ctl, ack
	// Descriptors 3 and 4 are the first two of ExtraFiles. -m is in pages for each CPU. -r lets
	// perf run on a busy machine.
	args := []string{"record", "-q", "-a", "-k", "CLOCK_MONOTONIC", "-m", "16384", "-r", "1", "-D", "-1",
		"--control", "fd:3,4", "-o", p.file}
	for _, e := range events {
		args = append(args, "-e", strings.Replace(e, "/", ":", 1))
		if f := schedFilter(e, comm); f != "" {
			args = append(args, "--filter", f)
		}
	}
	p.cmd = exec.Command("perf", args...)
	p.cmd.ExtraFiles = []*os.File{command, answer}
	p.cmd.Stderr = &p.stderr
	err = p.cmd.Start()
	command.Close()
	answer.Close()
	if err != nil {
		ctl.Close()
		ack.Close()
		t.Fatalf("start perf: %v", err)
	}
	t.Cleanup(p.kill)
	p.control("enable")
	return p
}

// schedFilter keeps the switches and wakings of other processes out of a buffer, and system calls
// that make, end or signal no thread: recording the calls of perf itself would never end. It is ""
// for other events.
func schedFilter(event, comm string) string {
	switch event {
	case "sched/sched_switch":
		return fmt.Sprintf("prev_comm == %q || next_comm == %q", comm, comm)
	case "sched/sched_waking", "sched/sched_wakeup", "sched/sched_wakeup_new":
		return fmt.Sprintf("comm == %q", comm)
	case "raw_syscalls/sys_enter":
		return callFilter(func(c rawCall) bool { return true })
	case "raw_syscalls/sys_exit":
		return callFilter(func(c rawCall) bool { return c.returns })
	}
	return ""
}

func callFilter(wanted func(rawCall) bool) string {
	var terms []string
	for nr, c := range rawCalls {
		if wanted(c) {
			terms = append(terms, fmt.Sprintf("id == %d", nr))
		}
	}
	return strings.Join(terms, " || ")
}

// control sends a command to perf and waits until it is done.
func (p *Perf) control(command string) {
	p.t.Helper()
	_, err := fmt.Fprintln(p.ctl, command)
	if err == nil {
		err = p.ack.SetReadDeadline(time.Now().Add(patience))
	}
	if err == nil {
		_, err = p.ack.Read(make([]byte, 16))
	}
	if err != nil {
		p.kill()
		p.t.Fatalf("perf record: %s: %v; stderr: %s", command, err, &p.stderr)
	}
}

// Stop ends the recording and returns the events by time. The test fails if one was lost.
func (p *Perf) Stop() []TraceEvent {
	p.t.Helper()
	p.control("disable")
	p.control("stop")
	p.ended = true
	err := p.cmd.Wait()
	p.ctl.Close()
	p.ack.Close()
	if err != nil {
		p.t.Fatalf("perf record: %v; stderr: %s", err, &p.stderr)
	}
	var events []TraceEvent
	p.read(func(line string) error {
		e, err := parsePerfEvent(line)
		if err == nil {
			events = append(events, e)
		}
		return err
	}, "script", "--ns", "-F", "tid,cpu,time,event,trace", "--show-lost-events")
	slices.SortStableFunc(events, func(a, b TraceEvent) int { return cmp.Compare(a.Time, b.Time) })
	return events
}

// PerfSyscall is a system call in perf trace.
type PerfSyscall struct {
	Time int64 // its enter, to 1 µs
	NS   int64 // its duration, to 1 µs
	TID  int32
	Name string
	Ret  int64
}

// Syscalls is the output of perf trace for the recording, after Stop: the calls of which it has
// both ends. It needs raw_syscalls/sys_enter and sys_exit among the events.
func (p *Perf) Syscalls() (calls []PerfSyscall) {
	p.t.Helper()
	p.read(func(line string) error {
		if c, ok := parsePerfSyscall(line); ok {
			calls = append(calls, c)
		}
		return nil
	}, "trace", "-T")
	return calls
}

// PerfRun is one run of a thread on a CPU in perf sched timehist.
type PerfRun struct {
	Time int64 // the switch-out that ended it, to 1 µs
	TID  int32 // -1 for a thread that had left the kernel's lists by then
	// The time on the CPU, and the time from the waking to it; to 1 µs. 0 = unknown.
	RunNS, DelayNS int64
}

// Runs is the output of perf sched timehist for the recording, after Stop.
func (p *Perf) Runs() (runs []PerfRun) {
	p.t.Helper()
	p.read(func(line string) error {
		if r, ok := parsePerfRun(line); ok {
			runs = append(runs, r)
		}
		return nil
	}, "sched", "timehist")
	return runs
}

// read calls take with every line that a perf command prints for the recording.
func (p *Perf) read(take func(line string) error, args ...string) {
	p.t.Helper()
	at := 1
	if args[0] == "sched" {
		at = 2 // perf sched timehist -i
	}
	args = append(args[:at:at], append([]string{"-i", p.file}, args[at:]...)...)
	cmd := exec.Command("perf", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if args[0] == "trace" { // it prints on stderr
		cmd.Stderr = nil
		stdout, err = cmd.StderrPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.t.Fatalf("perf %s: %v", args[0], err)
	}
	sc := bufio.NewScanner(stdout)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if terr := take(sc.Text()); terr != nil && err == nil {
			err = terr
		}
	}
	if serr := sc.Err(); err == nil { // a line that is too long
		err = serr
	}
	if werr := cmd.Wait(); err == nil && werr != nil {
		err = werr
	}
	if err == nil && strings.Contains(stderr.String(), "lost") {
		err = fmt.Errorf("events were lost")
	}
	if err != nil {
		p.t.Fatalf("perf %s: %v; stderr: %s", args[0], err, &stderr)
	}
}

// PID is the process of perf; 0 for nil.
func (p *Perf) PID() int {
	if p == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *Perf) kill() {
	if p.ended {
		return
	}
	p.ended = true
	p.cmd.Process.Kill() // fails if it has ended by itself
	p.cmd.Wait()
	p.ctl.Close()
	p.ack.Close()
}
