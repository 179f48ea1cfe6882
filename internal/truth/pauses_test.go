package truth

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// monotonic is the clock that pinwatch's times are of.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	return ts.Nano()
}

// TestStopped stops a process in the middle of a window, by a signal and by its cgroup's freezer. The
// process cannot have run between the moment at which all threads were seen to be stopped and that
// of the continuation: this time is known without pinwatch.
func TestStopped(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	t.Run("signal", func(t *testing.T) {
		p := testenv.Workload(t, "pingpong", "-hold")
		p.Go()
		signal := func(s unix.Signal) {
			if err := unix.Kill(p.PID, s); err != nil {
				t.Fatal(err)
			}
		}
		stopInWindow(t, p, func(stop bool) {
			if !stop {
				signal(unix.SIGCONT)
				return
			}
			signal(unix.SIGSTOP)
			running := func(state byte) bool { return state != 'T' }
			for slices.ContainsFunc(procfs.Process(p.PID).ThreadStates(1<<10), running) {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(20 * time.Millisecond) // a thread has that state a little before it leaves its CPU
		})
	})
	t.Run("freezer", func(t *testing.T) {
		testenv.Require(t, testenv.CgroupFreezer)
		p := testenv.Workload(t, "pingpong", "-hold")
		p.Go()
		stopInWindow(t, p, testenv.Freezer(t, p.PID))
	})
}

// stopInWindow observes a process that stop stops and continues.
func stopInWindow(t *testing.T, p *testenv.Proc, stop func(bool)) {
	var polls atomic.Int64
	threads := len(p.Threads()) // one that comes later does not live through the window
	observed := observeProcess(t, p.PID, observe.Config{OnProgress: func(time.Duration, uint64) { polls.Add(1) }})
	time.Sleep(100 * time.Millisecond)
	before := monotonic(t)
	stop(true)
	stopped := monotonic(t)
	for seen := polls.Load(); polls.Load() < seen+3; { // a pause between two polls is not seen
		time.Sleep(50 * time.Millisecond)
	}
	ends := monotonic(t)
	stop(false)
	after := monotonic(t)
	time.Sleep(100 * time.Millisecond)
	r := observed.end()
	least, most := ends-stopped, after-before
	checkPaused(t, "the process", r.Pauses.PausedNS, least, most)
	if got, want := r.Window.ActiveS, r.Window.DurationS-float64(*r.Pauses.PausedNS)/1e9; got < want-1e-6 ||
		got > want+1e-6 {
		t.Errorf("active for %g s, want %g", got, want)
	}
	lived := 0
	for i := range r.Threads {
		if th := &r.Threads[i]; th.StartNS == nil && th.ExitNS == nil {
			// One that is preempted on its way into the stop has first to wait for a CPU.
			checkPaused(t, strconv.Itoa(int(th.TID)), th.PausedNS, least-th.RunqNS, most)
			lived++
		}
	}
	if lived < threads {
		t.Errorf("%d of %d threads lived through the window", lived, threads)
	}
	t.Logf("stopped for %v to %v, reported %v", time.Duration(least), time.Duration(most),
		time.Duration(*r.Pauses.PausedNS))
}

func checkPaused(t *testing.T, who string, got *int64, least, most int64) {
	t.Helper()
	if got == nil || *got < least || *got > most {
		t.Errorf("%s: paused for %v ns, want %d to %d", who, value(got), least, most)
	}
}

func value(p *int64) any {
	if p == nil {
		return nil
	}
	return *p
}

// TestFrozenThroughout observes a process that does not run at all.
func TestFrozenThroughout(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.Require(t, testenv.CgroupFreezer)
	p := testenv.Workload(t, "pingpong", "-hold")
	p.Go()
	freeze := testenv.Freezer(t, p.PID)
	freeze(true)
	r := observeProcess(t, p.PID, observe.Config{Duration: 300 * time.Millisecond}).report()
	freeze(false)
	all := r.Window.EndNS - r.Window.StartNS
	checkPaused(t, "the process", r.Pauses.PausedNS, all, all)
	for i := range r.Threads {
		checkPaused(t, strconv.Itoa(int(r.Threads[i].TID)), r.Threads[i].PausedNS, all, all)
	}
	if !slices.Contains(r.Warnings, "pinwatch found the process frozen (by its cgroup)") {
		t.Errorf("warnings %q", r.Warnings)
	}
	if len(r.Threads) == 0 || r.Counts.Switches != 0 || r.Window.ActiveS > 1e-6 || len(r.Findings) != 0 {
		t.Errorf("%d threads, %d switches, active for %g s, findings %+v", len(r.Threads), r.Counts.Switches,
			r.Window.ActiveS, r.Findings)
	}
}

// TestThrottled compares the use of a quota with the kernel's own counters, read around the window and
// within.
func TestThrottled(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	p := testenv.Workload(t, "spinners", "-gc", "1h", "-hold")
	dir := testenv.Throttle(t, p.PID)
	p.Go()
	before := readCPUStat(t, dir)
	observed := observeProcess(t, p.PID, observe.Config{})
	begun := readCPUStat(t, dir)
	time.Sleep(2 * time.Second)
	ending := readCPUStat(t, dir)
	r := observed.end()
	after := readCPUStat(t, dir)
	q := r.Pauses.Quota
	if q == nil || q.Cgroup != dir || q.CPUs != 0.1 {
		t.Fatalf("quota %+v, want that of %s", q, dir)
	}
	got := map[string]uint64{"nr_periods": q.Periods, "nr_throttled": q.ThrottledPeriods, "ns": uint64(q.ThrottledCPUNS)}
	for key, n := range got {
		if least, most := ending[key]-begun[key], after[key]-before[key]; n < least || n > most {
			t.Errorf("%s: %d, the kernel counted %d to %d", key, n, least, most)
		}
	}
	checkThrottledThreads(t, &r, q)
}

// checkThrottledThreads compares the threads' times with the kernel's sum over CPUs. A thread waits for
// one CPU at a time, so no thread was kept off for longer than all CPUs were closed. Where a CPU was
// closed a spinner waited.
func checkThrottledThreads(t *testing.T, r *report.Report, q *report.Quota) {
	t.Helper()
	edges := 2 * q.PeriodNS // the kernel adds a time when it is over
	var sum int64
	for i := range r.Threads {
		th := &r.Threads[i]
		if th.ThrottledNS == nil || *th.ThrottledNS > q.ThrottledCPUNS+edges {
			t.Errorf("thread %d: kept off for %v ns, all CPUs were closed for %d", th.TID, value(th.ThrottledNS),
				q.ThrottledCPUNS)
			continue
		}
		sum += *th.ThrottledNS
	}
	t.Logf("CPUs were closed for %v in sum, threads kept off for %v", time.Duration(q.ThrottledCPUNS), time.Duration(sum))
	if least := q.ThrottledCPUNS/4 - edges; sum < least { // short ones pass between two polls
		t.Errorf("threads were kept off for %d ns, CPUs were closed for %d", sum, q.ThrottledCPUNS)
	}
}

// readCPUStat reads a cgroup's cpu.stat, its throttled time as "ns".
func readCPUStat(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		t.Fatal(err)
	}
	stat := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		key, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch stat[key] = n; key {
		case "throttled_time":
			stat["ns"] = n
		case "throttled_usec":
			stat["ns"] = 1000 * n
		}
	}
	return stat
}
