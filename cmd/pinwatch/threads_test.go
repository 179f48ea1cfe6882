package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// listThreads runs pinwatch threads -o json and checks the schema.
func listThreads(t *testing.T, pid int, args ...string) report.ThreadList {
	t.Helper()
	code, stdout, stderr := pinwatch(t, append([]string{"threads", "-p", strconv.Itoa(pid), "-o", "json"}, args...)...)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	return parseList(t, []byte(stdout))
}

func parseList(t *testing.T, doc []byte) report.ThreadList {
	t.Helper()
	if err := schematest.CheckThreadList(doc); err != nil {
		t.Fatal(err)
	}
	var l report.ThreadList
	if err := json.Unmarshal(doc, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestThreads compares the list with each workload's account, at work and at rest.
func TestThreads(t *testing.T) {
	for _, args := range [][]string{
		{"pingpong", "-pairs", "3"}, {"spinners", "-n", "2"}, {"blocked", "-n", "5"}, {"threads", "-n",
			"100"}, {"demo"},
	} {
		t.Run(args[0], func(t *testing.T) {
			p := testenv.Workload(t, args...)
			atWork := listWorking(t, p.PID)
			account := p.Quiesce()
			if len(account.Pins) == 0 {
				t.Fatal("the workload pins no threads")
			}
			checkPins(t, atWork, account, args[0] == "demo")
			atRest := listThreads(t, p.PID)
			checkPins(t, atRest, account, false)
			checkKernelSide(t, p, atRest)
			if len(atRest.Warnings) != 0 {
				t.Errorf("warnings: %q", atRest.Warnings)
			}
		})
	}
}

// listWorking lists the threads of a process at work. A thread that has just begun has no M until
// it gets a CPU, which takes long on a busy machine: the list is read again then.
func listWorking(t *testing.T, pid int) (l report.ThreadList) {
	t.Helper()
	for range 10 {
		l = listThreads(t, pid)
		begun := func(th report.ListedThread) bool { return th.Role == "unknown" && *th.AgeSeconds < 1 }
		if !slices.ContainsFunc(l.Threads, begun) {
			return l
		}
		time.Sleep(50 * time.Millisecond) // for a CPU
	}
	return l
}

// checkPins compares the locks of a list with an account. others: the workload also locks threads
// that it does not name.
func checkPins(t *testing.T, l report.ThreadList, account workload.Account, others bool) {
	t.Helper()
	pins := map[int32]workload.Pin{}
	for _, p := range account.Pins {
		pins[int32(p.TID)] = p
	}
	roles := map[string]int{}
	for _, th := range l.Threads {
		roles[th.Role]++
		p, pinned := pins[th.TID]
		delete(pins, th.TID)
		if !pinned {
			// signal.Notify's goroutine
			signals := th.LockEntry != nil && strings.HasPrefix(*th.LockEntry, "runtime.ensureSigM")
			if th.Lock != "none" && !others && !signals {
				t.Errorf("not pinned: %s", row(th))
			}
			continue
		}
		if th.Lock != "user" || *th.LockedExt != uint32(p.Depth) || th.GoID == nil || *th.GoID != uint64(p.GoID) {
			t.Errorf("%s, want %+v", row(th), p)
		}
		if th.LockEntry == nil || *th.LockEntry != p.Entry {
			t.Errorf("where its goroutine began: %s", row(th))
		}
	}
	if len(pins) != 0 {
		t.Errorf("not listed: %+v", pins)
	}
	if roles["main"] != 1 || roles["sysmon"] != 1 || roles["template"] != 1 ||
		roles["foreign"]+roles["cgo_extra"] != 0 {
		t.Errorf("roles %v", roles)
	}
	if roles["unknown"] != 0 && !others {
		t.Errorf("roles %v", roles)
	}
}

// checkKernelSide checks that a process at rest has the listed threads, each with its kernel side.
func checkKernelSide(t *testing.T, p *testenv.Proc, l report.ThreadList) {
	t.Helper()
	if n := len(p.Threads()); n != len(l.Threads) {
		t.Errorf("%d threads listed, %d there", len(l.Threads), n)
	}
	for _, th := range l.Threads {
		if th.NSTID == nil || *th.NSTID != th.TID || th.State == nil || th.CPU == nil || th.Affinity == nil ||
			th.Nice == nil ||
			th.Policy == nil || *th.Policy != "SCHED_OTHER" || th.CPUSeconds == nil || th.AgeSeconds == nil ||
			*th.AgeSeconds > 600 {
			t.Errorf("incomplete: %s", row(th))
		}
	}
}

func row(th report.ListedThread) string {
	b, err := json.Marshal(th)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestThreadsText(t *testing.T) {
	p := testenv.Workload(t, "pingpong", "-pairs", "1", "-hold")
	code, stdout, stderr := pinwatch(t, "threads", "-p", strconv.Itoa(p.PID))
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	pin := p.Quiesce().Pins[0]
	entry := pin.Entry[strings.LastIndex(pin.Entry, ")"):] // the column is too narrow for the whole name
	for _, want := range []string{
		"2 locked by the user", fmt.Sprintf("%8d", pin.TID), "sysmon", "template", entry, "all on CPUs",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

// TestThreadsNotGo lists a program that is not Go: it has the kernel's side only.
func TestThreadsNotGo(t *testing.T) {
	pid, ok := startSleep(t)
	if !ok {
		return
	}
	l := listThreads(t, pid)
	if len(l.Threads) != 1 || l.Target.GoVersion != nil {
		t.Fatalf("%+v", l)
	}
	if th := l.Threads[0]; th.Role != "unknown" || th.Lock != "unknown" || th.Nice == nil || th.State == nil {
		t.Error(row(th))
	}
	all := strings.Join(l.Warnings, "\n")
	if len(l.Warnings) != 1 || !strings.Contains(all, "kernel side only") ||
		!strings.Contains(all, "not a Go program") {
		t.Errorf("warnings %q", l.Warnings)
	}
}

// TestThreadsNamespace lists a process in another PID namespace, where threads have other numbers.
func TestThreadsNamespace(t *testing.T) {
	testenv.Require(t, testenv.BPF) // for the privilege to make a namespace
	testenv.Workload(t, "idle")     // builds the program now: the namespace ends with its first process
	// never unlocked: from now on the thread's children, and no others, are in the namespace
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWPID); err != nil {
		t.Fatal(err)
	}
	p := testenv.Workload(t, "pingpong", "-pairs", "2")
	l := listThreads(t, p.PID)
	account := p.Quiesce()
	if account.PID != 1 {
		t.Fatalf("the workload is process %d of its namespace", account.PID)
	}
	for i := range l.Threads {
		th := &l.Threads[i]
		if th.NSTID == nil || *th.NSTID == th.TID {
			t.Fatalf("no tid in its namespace: %s", row(*th))
		}
		th.TID = *th.NSTID
	}
	checkPins(t, l, account, false)
}

// TestThreadsStripped lists a stripped program, as tests are. It has no symbol for the list of Ms;
// the kernel has the base of each thread.
func TestThreadsStripped(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	testenv.NoKernelLeftovers(t)
	p, err := client.Start(t.Context(), client.Options{
		Program: []string{"/proc/self/exe", workloadCommand}, Env: []string{asPinwatch + "=1"},
	}, "pingpong", "-pairs", "2")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	l := listThreads(t, p.PID)
	if len(l.Warnings) != 0 {
		t.Errorf("warnings %q", l.Warnings)
	}
	account, err := p.Quiesce()
	if err != nil {
		t.Fatal(err)
	}
	checkPins(t, l, *account, false)
}

// TestThreadsNoPrivileges lists another user's process: the kernel's side, and a warning of what
// the rest needs.
func TestThreadsNoPrivileges(t *testing.T) {
	testenv.Require(t, testenv.BPF)       // for the privilege to become another user
	exe, err := os.Open("/proc/self/exe") // the test binary's directory may be closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	p := testenv.Workload(t, "idle")
	cmd := exec.Command("/proc/self/fd/3", "threads", "-p", strconv.Itoa(p.PID), "-o", "json", "--by", "namespace")
	cmd.ExtraFiles = []*os.File{exe}
	cmd.Env = append(os.Environ(), asPinwatch+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l := parseList(t, out)
	if all := strings.Join(l.Warnings, "\n"); !strings.Contains(all, "kernel side only") ||
		!strings.Contains(all, "CAP_SYS_PTRACE") || !strings.Contains(all, "namespaces of") ||
		!strings.Contains(all, "which system calls") {
		t.Errorf("warnings %q", l.Warnings)
	}
	if len(l.Threads) == 0 || l.Threads[0].CPUSeconds == nil || l.Threads[0].Role != "unknown" {
		t.Errorf("threads %+v", l.Threads)
	}
}

// TestThreadsOfC lists every kind of thread that C makes, in one program.
func TestThreadsOfC(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Log("no gcc in this guest: no program with C threads can be built")
		return
	}
	exe := t.TempDir() + "/ms"
	build := exec.Command("go", "build", "-tags=withcgo", "-o", exe, ".")
	build.Dir = t.TempDir()
	if err := os.CopyFS(build.Dir, os.DirFS("../../internal/goruntime/testdata/ms")); err != nil {
		t.Fatal(err)
	}
	build.Env = append(os.Environ(), "GO111MODULE=off", "CGO_ENABLED=1", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(exe)
	_, stdout := testenv.StartPiped(t, cmd)
	var account struct {
		Threads []struct {
			TID        int32
			Role, Lock string
			Gone       bool
		}
	}
	if err := json.NewDecoder(stdout).Decode(&account); err != nil {
		t.Fatal(err)
	}
	l := listThreads(t, cmd.Process.Pid)
	listed := map[int32]report.ListedThread{}
	for _, th := range l.Threads {
		listed[th.TID] = th
		if th.Role == "unknown" || th.Lock == "unknown" {
			t.Errorf("not known: %s", row(th))
		}
	}
	for _, want := range account.Threads {
		if want.Gone {
			want.Role, want.Lock = "foreign", "none"
		}
		if got := listed[want.TID]; got.Role != want.Role || got.Lock != want.Lock {
			t.Errorf("%s, want %+v", row(got), want)
		}
	}
}

func TestThreadsErrors(t *testing.T) {
	for _, c := range []struct{ args, words string }{
		{"threads", "-p PID"},
		{"threads -p x", `"x"|number`},
		{"threads -p -o json", "-p -o|pidof"},
		{"threads -p 1 -o yaml", "yaml|text or json"},
		{"threads -p 1 -o ndjson", "ndjson|text or json"},
		{"threads -p 1 2", "one PID"},
		{"threads -p 1 --offsets=", "--offsets"},
		{"threads -p 1 --go-version=", "--go-version|release of Go"},
		{"threads -p 1 --by color", "color|function, wait, lock, namespace"},
		{"threads -p 1 --by=", "--by"},
		{"threads -p 1 -w never", "-w|never"},
		{"threads -p 1 -w 0s", "more than zero"},
	} {
		wrong(t, exitUsage, strings.Split(c.words, "|"), strings.Fields(c.args)...)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	wrong(t, exitError, []string{"no such process", strconv.Itoa(cmd.Process.Pid)}, "threads", "-p",
		strconv.Itoa(cmd.Process.Pid))
	tids, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tids) < 2 {
		t.Fatalf("%d threads, %v", len(tids), err)
	}
	wrong(t, exitError, []string{"is a thread of process " + strconv.Itoa(os.Getpid())}, "threads", "-p",
		tids[1].Name())
	p := testenv.Workload(t, "idle")
	wrong(t, exitError, []string{"/no/such/file"}, "threads", "-p", strconv.Itoa(p.PID), "--offsets", "/no/such/file")
	table := filepath.Join(t.TempDir(), "offsets")
	if err := os.WriteFile(table, []byte("# no table\nfoo bar\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong(t, exitError, []string{table, "line 2"}, "threads", "-p", strconv.Itoa(p.PID), "--offsets", table)
}

// TestThreadsOfTheDying lists a process whose threads end, one by one and then all at once.
func TestThreadsOfTheDying(t *testing.T) {
	p := testenv.Workload(t, "churn")
	for range 20 {
		l := listThreads(t, p.PID)
		if len(l.Threads) == 0 {
			t.Fatal("no threads")
		}
		for _, th := range l.Threads {
			if th.Lock == "wedged" || th.Role == "foreign" {
				t.Errorf("mislabelled: %s", row(th))
			}
		}
	}
	p.Stop()
	wrong(t, exitError, []string{"no such process"}, "threads", "-p", strconv.Itoa(p.PID))
}
