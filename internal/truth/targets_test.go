package truth

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
	"github.com/pinwatch/pinwatch/internal/toolchain"
	"github.com/pinwatch/pinwatch/internal/workbuild"
)

// oldRelease passes arguments on the stack; the installed one in registers.
const oldRelease = "1.16.15"

// oldWorkload names a built workload of another release, as guests of the kernel matrix may have it.
const oldWorkload = "PINWATCH_OLD_WORKLOAD"

// oldProgram is a workload of another release than testenv.WorkloadProgram; "" = none can be had here.
func oldProgram(t *testing.T) string {
	t.Helper()
	if given := os.Getenv(oldWorkload); given != "" {
		if _, err := os.Stat(given); err == nil {
			return given
		}
	}
	testenv.Require(t, testenv.GoCommand)
	goroot, err := toolchain.Fetch(t.Context(), oldRelease)
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		testenv.NotJudged(t, "a target of another release: %v", err)
		return ""
	}
	dir := t.TempDir()
	program, err := workbuild.Build(t.Context(), dir, goroot, oldRelease, workbuild.Command{Name: "workload"})
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// cProgram is testdata/threads.c at rest: each of its four threads makes as many and sends as many SIGURG.
type cProgram struct {
	testing.TB
	pid int
	in  io.Writer
	out *bufio.Reader
}

const eachInC, makersInC = 200, 4

func startThreadsInC(t *testing.T) *cProgram {
	t.Helper()
	program := os.Getenv(threadsInC)
	if _, err := os.Stat(program); err != nil {
		program = testenv.CProgram(t, filepath.Join("testdata", "threads.c"))
	}
	cmd := exec.Command(program, fmt.Sprint(eachInC))
	in, out := testenv.StartPiped(t, cmd)
	c := &cProgram{t, cmd.Process.Pid, in, out}
	c.line() // ready
	return c
}

func (c *cProgram) line() string {
	c.Helper()
	text, err := c.out.ReadString('\n')
	if err != nil {
		c.Fatalf("read a line of the program in C: %v", err)
	}
	return strings.TrimSpace(text)
}

// work does all of its work, and waits until its threads have ended.
func (c *cProgram) work() {
	c.Helper()
	fmt.Fprintln(c.in, "go")
	fmt.Fprintln(c.in, "stop")
	c.line()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		tids, err := procfs.Process(c.pid).Threads()
		if err != nil || time.Now().After(deadline) {
			c.Fatalf("%d threads are left, %v", len(tids), err)
		}
		if len(tids) == 1 {
			return
		}
	}
}

// TestTargetsOfOneObservation observes two Go programs of different releases and a program in C at once,
// and each alone at the same time. All counts are the same, and those of a trace instance.
func TestTargetsOfOneObservation(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Tracefs)
	old := oldProgram(t)
	if old == "" {
		return
	}
	agree(t, func() (problems []string) {
		newer, c := testenv.Workload(t, "demo", "-hold"), startThreadsInC(t)
		t.Setenv("PINWATCH_WORKLOAD", old)
		older := testenv.Workload(t, "demo", "-hold")
		t.Setenv("PINWATCH_WORKLOAD", "")
		pids := []int{older.PID, newer.PID, c.pid}
		older.Quiet()
		newer.Quiet()
		trace := witness.StartTrace(t, traced)
		together := observeTogether(t, pids)
		var alone []*observation
		threads := map[int][]int32{}
		for _, pid := range pids {
			alone = append(alone, observeProcess(t, pid, observe.Config{}))
			tids, err := procfs.Process(pid).Threads()
			if err != nil {
				t.Fatal(err)
			}
			threads[pid] = tids
		}
		older.Quiet()
		newer.Quiet()
		older.Go()
		newer.Go()
		c.work()
		time.Sleep(time.Second)
		exits := map[int]uint64{older.PID: older.Quiesce().LockedExits, newer.PID: newer.Quiesce().LockedExits,
			c.pid: makersInC * (1 + eachInC)}
		older.Quiet()
		newer.Quiet()
		reports := together()
		seen := trace.Stop()
		releases := map[string]bool{}
		for i, pid := range pids {
			single := alone[i].end()
			r, known := reports[pid]
			if !known {
				t.Fatalf("no report of process %d among several", pid)
			}
			for _, l := range []report.Loss{r.Loss, single.Loss} {
				problems = append(problems, lossProblems(l)...)
			}
			if r.Target.GoVersion != nil {
				releases[*r.Target.GoVersion] = true
			}
			problems = append(problems, targetProblems(&r, &single, witness.OfThreads(seen, threads[pid]))...)
			if c := r.Counts; c.ThreadsExited != exits[pid] || c.ThreadsKilled > 0 {
				problems = append(problems, fmt.Sprintf("process %d: %+v, its account has %d exits", pid, c, exits[pid]))
			}
		}
		if len(releases) != 2 {
			t.Errorf("Go releases %v, want two", releases)
		}
		older.Stop()
		newer.Stop()
		return problems
	})
}

// observeTogether observes processes from its return until the returned function is called, which returns
// their reports.
func observeTogether(t *testing.T, pids []int) (end func() map[int]report.Report) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	begun, done := make(chan struct{}), make(chan error, 1)
	reports := map[int]report.Report{}
	cfg := observe.GroupConfig{PIDs: pids}
	cfg.OnBegin = func() error { close(begun); return nil }
	cfg.OnTarget = func(w *observe.Window) error {
		reports[w.Target.PID] = readReport(t, w)
		return nil
	}
	cfg.OnProblem = func(pid int, err error) { t.Errorf("process %d: %v", pid, err) }
	go func() {
		_, err := observe.RunGroup(ctx, cfg)
		done <- err
	}()
	t.Cleanup(cancel)
	select {
	case <-begun:
	case err := <-done:
		t.Fatal(err)
	}
	return func() map[int]report.Report {
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return reports
	}
}

// targetProblems compares the report of one target of several with that of an observation of it alone, and
// with the trace of its threads.
func targetProblems(r, single *report.Report, seen []witness.TraceEvent) (problems []string) {
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("process %d: %s", r.Target.PID, fmt.Sprintf(format, args...)))
	}
	if !reflect.DeepEqual(r.Counts, single.Counts) {
		problem("counts %s, alone %s", counts(r), counts(single))
	}
	if a, b := samplesOf(r), samplesOf(single); !reflect.DeepEqual(a, b) {
		problem("samples %v, alone %v", a, b)
	}
	if !reflect.DeepEqual(r.Moves.ByWhy, single.Moves.ByWhy) || !reflect.DeepEqual(r.Moves.ByDistance, single.Moves.ByDistance) {
		problem("moves %v %v, alone %v %v", r.Moves.ByWhy, r.Moves.ByDistance, single.Moves.ByWhy, single.Moves.ByDistance)
	}
	s := traceMoments(seen, nil)
	n := func(what string) uint64 {
		return uint64(len(slices.DeleteFunc(slices.Clone(s), func(m moment) bool { return m.what != what })))
	}
	c := r.Counts
	got := []uint64{c.ThreadsCreated, c.ThreadsExited, c.ThreadsExited + c.ThreadsKilled, c.SigurgGenerated,
		c.SigurgDelivered, *c.SigurgSent}
	want := []uint64{n(newTask), n(doExit), n(processExit), n(generate), n(deliver), n(doTgkill)}
	if !slices.Equal(got, want) || n(newTask) == 0 {
		problem("created, exited, ended, SIGURG generated, delivered, sent: %d, the trace has %d", got, want)
	}
	return problems
}

func counts(r *report.Report) string {
	v, text := reflect.ValueOf(r.Counts), ""
	for i := range v.NumField() {
		text += fmt.Sprintf(" %s=%v", v.Type().Field(i).Name, reflect.Indirect(v.Field(i)))
	}
	return text
}

// samplesOf is the number of samples of each cost of the specification. Whether the target of a signal was on
// a CPU, and a cause, may differ: programs read that one after the other. A thread is freed later.
func samplesOf(r *report.Report) map[string]int64 {
	rows := map[string]int64{}
	for _, c := range r.Costs {
		name := c.ID + " " + c.Phase
		late := name == "P-5 kernel" || name == "P-9 free"
		if name[0] == 'P' && !late && c.Locked == "" && c.Cause == nil && c.State == nil {
			rows[name] = c.N
		}
	}
	return rows
}
