package witness

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// patience bounds every wait for another process. It is long because emulated machines are slow.
const patience = client.Patience

// SwitchEvent is one side of a context switch of an observed thread.
type SwitchEvent struct {
	Time int64 // CLOCK_MONOTONIC in ns
	TID  int32
	CPU  int
	In   bool // a switch-in; otherwise a switch-out
	Dead bool // the thread's last switch-out

	Runnable bool // a switch-out of a thread that is still runnable: a preemption
}

// Waking is a thread being woken, or started for the first time.
type Waking struct {
	Time int64 // CLOCK_MONOTONIC in ns
	TID  int32
}

// Birth is a thread being made.
type Birth struct {
	Time        int64 // CLOCK_MONOTONIC in ns
	TID, Parent int32
}

// Switches is a bpftrace that reports the context switches of a process's threads.
type Switches struct {
	// LastCPU is where each thread that lived at the start ran last, for CountSwitches.
	LastCPU map[int32]int

	// Wakings are the wakings of the threads and Births the threads made since the start, by time.
	// They are complete after Stop.
	Wakings []Waking
	Births  []Birth

	t      testing.TB
	b      *bpftrace
	marker *marker
	read   chan error // the reader's one error, or nil, at the end of bpftrace's output
	events []SwitchEvent
}

// switchScript has the arguments marker's tid, pid and the statements that add the living threads
// to @known. A later thread is added when clone makes it with CLONE_THREAD (0x10000). 0x30 is
// EXIT_DEAD | EXIT_ZOMBIE, which sched_switch shows only for a thread's last switch-out; 0x100 is a
// thread that was preempted (include/trace/events/sched.h).
const switchScript = `
BEGIN { @known[%[1]d] = 1; %[3]s }
tracepoint:task:task_newtask /pid == %[2]d && (args->clone_flags & 0x10000)/ {
	@known[args->pid] = 1;
	printf("n %%lld %%d %%d\n", nsecs, args->pid, tid);
}
tracepoint:sched:sched_waking /@known[args->pid] && args->pid != %[1]d/ { printf("w %%lld %%d 0\n", nsecs, args->pid); }
tracepoint:sched:sched_wakeup_new /@known[args->pid] && args->pid != %[1]d/ {
	printf("w %%lld %%d 0\n", nsecs, args->pid);
}
tracepoint:sched:sched_switch {
	if (pid == %[2]d || tid == %[1]d) {
		if (args->prev_state & 0x30) {
			printf("x %%lld %%d %%d\n", nsecs, tid, cpu);
			delete(@known[tid]);
		} else {
			if (args->prev_state & 0xff) { printf("o %%lld %%d %%d\n", nsecs, tid, cpu); }
			else { printf("p %%lld %%d %%d\n", nsecs, tid, cpu); }
			@known[tid] = 1;
		}
	}
	if (@known[args->next_pid]) {
		printf("i %%lld %%d %%d\n", nsecs, args->next_pid, cpu);
	}
}
END { clear(@known); }
`

// StartSwitches reports every context switch of the process's threads from its return until Stop.
// The process should be held or quiet while it attaches: LastCPU is correct for threads that sleep
// meanwhile.
func StartSwitches(t testing.TB, pid int) *Switches {
	t.Helper()
	testenv.Require(t, testenv.Bpftrace)
	living, err := procfs.Process(pid).Threads()
	if err != nil {
		t.Fatal(err)
	}
	var known strings.Builder
	for _, tid := range living {
		fmt.Fprintf(&known, "@known[%d] = 1; ", tid)
	}
	s := &Switches{t: t, marker: newMarker(), read: make(chan error, 1), LastCPU: map[int32]int{}}
	t.Cleanup(s.marker.release)
	s.b = startBpftrace(t, fmt.Sprintf(switchScript, s.marker.tid, pid, known.String()), "full", 4096)
	go func() {
		err := s.collect()
		s.marker.observerEnded()
		s.read <- err
	}()
	s.catchUp()

	if living, err = procfs.Process(pid).Threads(); err != nil {
		t.Fatal(err)
	}
	for _, tid := range living {
		stat, err := procfs.Thread(pid, tid).Stat()
		if err != nil {
			t.Fatalf("read a thread's CPU: %v", err)
		}
		s.LastCPU[tid] = stat.CPU
	}
	return s
}

// Stop ends the report and returns the events by time. The test fails if bpftrace lost any or if
// they do not join. Every switch-out is among them; for missing switch-ins see CountSwitches.
func (s *Switches) Stop() []SwitchEvent {
	s.t.Helper()
	s.catchUp() // each CPU's buffer is read in order, so all that happened before has been read then
	err := errors.Join(s.b.end(s.t), <-s.read)
	if err != nil {
		s.t.Fatalf("bpftrace: %v; stderr: %s", err, &s.b.stderr)
	}
	slices.SortStableFunc(s.events, func(a, b SwitchEvent) int { return cmp.Compare(a.Time, b.Time) })
	slices.SortStableFunc(s.Wakings, func(a, b Waking) int { return cmp.Compare(a.Time, b.Time) })
	slices.SortStableFunc(s.Births, func(a, b Birth) int { return cmp.Compare(a.Time, b.Time) })
	if err := joined(s.events); err != nil {
		s.t.Fatalf("bpftrace: %v", err)
	}
	return s.events
}

// catchUp waits until bpftrace has reported a switch of the marker on every CPU, after now.
func (s *Switches) catchUp() {
	s.t.Helper()
	if err := s.marker.await(patience); err != nil {
		s.b.kill()
		s.t.Fatalf("wait for bpftrace: %v; stderr: %s", err, &s.b.stderr)
	}
}

// PID is the process of bpftrace; 0 for nil.
func (s *Switches) PID() int {
	if s == nil {
		return 0
	}
	return s.b.cmd.Process.Pid
}

// collect reads bpftrace's output to its end.
func (s *Switches) collect() error {
	sc := bufio.NewScanner(s.b)
	for sc.Scan() {
		line := sc.Text()
		if line == "" || strings.HasPrefix(line, "Attaching ") {
			continue
		}
		var kind string
		var e SwitchEvent
		if _, err := fmt.Sscanf(line, "%s %d %d %d", &kind, &e.Time, &e.TID, &e.CPU); err != nil || len(kind) != 1 {
			return fmt.Errorf("no switch: %q", line)
		}
		if e.TID == s.marker.tid {
			s.marker.reported(e)
			continue
		}
		switch kind {
		case "w":
			s.Wakings = append(s.Wakings, Waking{e.Time, e.TID})
			continue
		case "n":
			s.Births = append(s.Births, Birth{e.Time, e.TID, int32(e.CPU)})
			continue
		}
		e.In, e.Dead, e.Runnable = kind == "i", kind == "x", kind == "p"
		s.events = append(s.events, e)
	}
	return sc.Err()
}

// joined returns an error if a thread's switch-out is missing: there are two switch-ins in a row,
// or a switch-out from another CPU than that of the switch-in. The events must be by time. A
// switch-in may be missing: on some machines perf tracepoints, which bpftrace uses, never run in
// the context of certain threads of other processes, and a switch-in is traced in the context of
// the thread that leaves. The next switch-out shows where the thread was.
func joined(events []SwitchEvent) error {
	last := map[int32]SwitchEvent{}
	for _, e := range events {
		if l := last[e.TID]; l.In && (e.In || l.CPU != e.CPU) {
			return fmt.Errorf("switches do not join: %+v, then %+v", l, e)
		}
		last[e.TID] = e
	}
	return nil
}
