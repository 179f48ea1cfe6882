package truth

import (
	"bufio"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// asExecutor makes the test binary wait for a byte and then, on a thread that does not lead the
// process, execute the workload "pingpong". Its value is the workload's program.
const asExecutor = "PINWATCH_TEST_AS_EXECUTOR"

func executeAnother() {
	runtime.LockOSThread() // main's thread, which leads the process
	failed := make(chan error)
	program := os.Getenv(asExecutor)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
			failed <- err
		}
		os.Unsetenv(asExecutor)
		failed <- syscall.Exec(program, []string{"workload", "pingpong"}, os.Environ())
	}()
	panic(<-failed)
}

// executor is a command of the test binary as an executor.
func executor(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asExecutor+"="+testenv.WorkloadProgram(t))
	return cmd
}

// TestExec: a process that executes another program goes on under its PID, whichever of its threads
// did it.
func TestExec(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	for _, entries := range testenv.Cases([]int{0, 1}, []int{1}) {
		cmd := executor(t)
		stdin, _ := testenv.StartPiped(t, cmd)
		observed := observeProcess(t, cmd.Process.Pid,
			observe.Config{Duration: 1500 * time.Millisecond, Interval: 300 * time.Millisecond, ThreadEntries: entries})
		if _, err := io.WriteString(stdin, "x"); err != nil {
			t.Fatal(err)
		}
		r := observed.report()
		warnings := strings.Join(r.Warnings, "; ")
		if !strings.Contains(warnings, "executed another program") {
			t.Errorf("%d entries: warnings: %s", entries, warnings)
		}
		living := alive(&r)
		if leader, ok := living[cmd.Process.Pid]; ok && leader.Switches == 0 {
			t.Errorf("%d entries: the thread that executes does nothing: %+v", entries, leader)
		}
		if len(living) < 2 || uint64(len(living)) != r.Counts.Threads {
			t.Errorf("%d entries: %d threads live, %d counted", entries, len(living), r.Counts.Threads)
		}
	}
}

// TestLocksEndWithExec: once the process runs another program, no label comes from the runtime of
// the first program.
func TestLocksEndWithExec(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	cmd := executor(t)
	stdin, out := testenv.StartPiped(t, cmd)
	observed := observeProcess(t, cmd.Process.Pid, observe.Config{})
	if _, err := io.WriteString(stdin, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := out.ReadString('\n'); err != nil { // the new program is ready, and at work
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, "quiesce\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r := observed.end()
	threads := alive(&r)
	if len(threads) < 3 {
		t.Errorf("%d threads", len(threads))
	}
	for _, th := range threads {
		if th.Lock != "unknown" || th.Role != "unknown" || th.M != nil || th.GoID != nil || th.LockedExt != nil ||
			th.LockHeldMin != nil {
			t.Errorf("labelled: %s", threadRow(th))
		}
	}
	if r.Counts.LockedThreads != nil {
		t.Errorf("%d threads are locked, though no lock is known", *r.Counts.LockedThreads)
	}
}

// asForker makes the test binary wait for a byte, fork without executing anything, print the
// child's pid, wait for the child's end, print that, and wait for the end of its input.
const asForker = "PINWATCH_TEST_AS_FORKER"

func forkOnce() {
	stdin := bufio.NewReader(os.Stdin)
	if _, err := stdin.ReadByte(); err != nil {
		panic(err)
	}
	nap := unix.NsecToTimespec(1e6)
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)
	if errno == 0 && pid == 0 { // the child has one thread and can't use the runtime
		for range 50 {
			_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&nap)), 0, 0)
		}
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	if errno != 0 {
		panic(errno)
	}
	fmt.Println(pid)
	if _, err := unix.Wait4(int(pid), nil, 0, nil); err != nil {
		panic(err)
	}
	fmt.Println("ended")
	_, _ = io.Copy(io.Discard, stdin)
	os.Exit(0)
}

// TestForkIsAnotherProcess: the child of a fork is another process, though it runs the same program
// in a copy of the same memory.
func TestForkIsAnotherProcess(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asForker+"=1")
	stdin, out := testenv.StartPiped(t, cmd)
	observed := observeProcess(t, cmd.Process.Pid, observe.Config{})
	if _, err := io.WriteString(stdin, "x"); err != nil {
		t.Fatal(err)
	}
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r := observed.end()
	for _, th := range r.Threads {
		if int(th.TID) == child {
			t.Errorf("the child is listed: %s", threadRow(th))
		}
	}
	if c := r.Counts; c.ThreadsExited != 0 || c.ThreadsKilled != 0 || int(c.Threads) != len(alive(&r)) ||
		r.Target.Ended != nil {
		t.Errorf("the child counts: %+v", c)
	}
}

// TestLocksOfReplacedProgram reads the file that the process executes, not the file that has its
// name now.
func TestLocksOfReplacedProgram(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	program := buildWorkload(t)
	if program == "" {
		return
	}
	t.Setenv("PINWATCH_WORKLOAD", program)
	replaced := func(t testing.TB, args ...string) *testenv.Proc {
		p := testenv.Workload(t, args...)
		if err := os.Remove(program); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(program, []byte("no program\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return p
	}
	w := watch{workload: []string{"matrix"}, start: replaced, work: 500 * time.Millisecond}.once(t)
	if !is(w.report.Target.Offsets, "dwarf") {
		t.Errorf("target %+v", w.report.Target)
	}
	w.checkLocks(t)
}

// TestLocksOfUnknownRelease observes a program of a release that no table has, without DWARF. Only
// the kernel side is known; with the offsets in a file everything is.
func TestLocksOfUnknownRelease(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	program := buildWorkload(t, "-ldflags=-s -w")
	if program == "" {
		return
	}
	t.Setenv("PINWATCH_WORKLOAD", forgeRelease(t, program))
	p := testenv.Workload(t, "pingpong")
	var limits []string
	r := observeProcess(t, p.PID, observe.Config{Duration: 300 * time.Millisecond,
		OnLimit: func(why error) { limits = append(limits, why.Error()) }}).report()
	if len(limits) != 1 || !strings.Contains(limits[0], "go1.99") || !strings.Contains(limits[0], "--offsets FILE") {
		t.Errorf("limits %q", limits)
	}
	for _, th := range r.Threads {
		if th.Lock != "unknown" || th.Role != "unknown" || th.M != nil {
			t.Errorf("labelled: %s", threadRow(th))
		}
	}
	if !is(r.Target.Offsets, "none") || r.Counts.LockedThreads != nil || r.Counts.Switches == 0 {
		t.Errorf("target %+v, counts %+v", r.Target, r.Counts)
	}

	builtin, err := offsets.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	release, ok := offsets.ParseRelease(runtime.Version())
	found := builtin.Find(release, runtime.GOARCH)
	if !ok || found == nil {
		t.Fatalf("no offsets of %s", runtime.Version())
	}
	table := filepath.Join(t.TempDir(), "offsets")
	text := offsets.Table{{From: offsets.Release{Minor: 99}, Arch: runtime.GOARCH, Offsets: *found}}.Text()
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := watch{workload: []string{"matrix"}, config: observe.Config{Offsets: table},
		work: 500 * time.Millisecond}.run(t)
	if !is(w.report.Target.Offsets, "file") {
		t.Errorf("target %+v", w.report.Target)
	}
	w.checkLocks(t)

	if err := os.WriteFile(table, []byte("# no table\nfoo bar\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, words := range map[string][]string{table: {table, "line 2"}, "/no/such/file": {"/no/such/file"}} {
		refused(t, observe.Config{PID: p.PID, Offsets: file}, "offsets", words...)
	}
}

// forgeRelease copies a program and writes go1.99 into its build info.
func forgeRelease(t *testing.T, program string) (forged string) {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	section := f.Section(".go.buildinfo")
	if section == nil {
		t.Fatal("no build info")
	}
	info := text[section.Offset : section.Offset+section.FileSize]
	at := bytes.Index(info, []byte(runtime.Version()))
	if at < 0 {
		t.Fatalf("the build info lacks %s", runtime.Version())
	}
	copy(info[at:], "go1.99")
	forged = filepath.Join(t.TempDir(), "forged")
	if err := os.WriteFile(forged, text, 0o700); err != nil {
		t.Fatal(err)
	}
	return forged
}

// asReexecutor makes the test binary execute itself again and again, on a thread that does not lead
// the process, and then wait for the end of its input. Its value is how many times. With the
// priority of a real-time thread, that thread runs before the leader has left its CPU.
const asReexecutor = "PINWATCH_TEST_AS_REEXECUTOR"

func reexecutions() int {
	if testenv.Emulated() { // an emulator takes a quarter of a second for each
		return 25
	}
	return 100
}

func executeAgain() {
	left, err := strconv.Atoi(os.Getenv(asReexecutor))
	if err != nil {
		panic(err)
	}
	if left == 0 {
		fmt.Println("done")
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	if left == reexecutions() { // the first time: wait for the observer
		if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
			panic(err)
		}
	}
	os.Setenv(asReexecutor, strconv.Itoa(left-1))
	failed := make(chan error)
	runtime.LockOSThread() // main's thread, which leads the process
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		// A kernel without real-time groups for this process refuses. Then it is another thread.
		_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO,
			Priority: 1, Flags: unix.SCHED_FLAG_RESET_ON_FORK}, 0)
		failed <- syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}()
	panic(<-failed)
}

// TestLeaderLeavesLate: the leader's last switch-out is the leader's, though a thread that executes
// a program takes its tid before. A thread leaves for the last time only after it has ended.
func TestLeaderLeavesLate(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	for _, cfg := range testenv.Cases([]observe.Config{{}, {Aggregate: true}}, []observe.Config{{}}) {
		cmd := exec.Command("/proc/self/exe")
		execs := reexecutions()
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", asReexecutor, execs))
		stdin, out := testenv.StartPiped(t, cmd)
		var all []events.Event
		cfg.OnEvent = func(e *events.Event) { all = append(all, *e) }
		observed := observeProcess(t, cmd.Process.Pid, cfg)
		if _, err := io.WriteString(stdin, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := out.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		observed.end()
		checkLastSteps(t, all, execs)
	}
}

func checkLastSteps(t *testing.T, all []events.Event, execs int) {
	t.Helper()
	ended := map[uint32]bool{}
	seen, by := 0, 0
	for _, e := range all {
		switch e.Kind {
		case events.NewTask:
			delete(ended, e.TID)
		case events.ProcessExit:
			ended[e.TID] = true
		case events.Exec:
			seen++
			if uint32(e.Args[events.ArgOldTID]) != e.TID {
				by++
			}
			// The caller goes on under the process's tid. Threads that it has ended may leave later.
			delete(ended, e.TID)
			delete(ended, uint32(e.Args[events.ArgOldTID]))
		case events.Switch:
			if e.Flags&events.SwitchDead != 0 && !ended[e.TID] {
				t.Errorf("thread %d leaves for the last time without an end", e.TID)
			}
		}
	}
	if seen != execs || by == 0 {
		t.Errorf("%d execs, %d by another thread than the leader", seen, by)
	}
}
